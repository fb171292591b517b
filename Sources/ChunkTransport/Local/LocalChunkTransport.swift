public import ChunkStore
public import Core
public import ErasureCoding
public import Logging
import Synchronization
internal import Traces
internal import Tracing

/// A storage node without a network: the engine, the node's identity, and the way to its peers.
///
/// `storage` puts gRPC in front of one; `chunkflow server` calls several of them directly. Safe to use from any task.
public final class LocalChunkTransport: ChunkTransport, StoredFragments {
    /// The node's name, for its whole life.
    public let id: NodeID
    /// Drawn when this was made, never 0: tells the node from a copy of its data directory.
    public let instance: UInt64

    private let store: ChunkStore
    private let identityStore: any NodeIdentityStore
    private let cluster: Mutex<ClusterID?>
    private let zone: String
    private let version: String
    private let peers: any PeerDialer
    private let coders = ErasureCoders()
    private let logger: Logger

    /// Pieces of a fragment that is being pulled, between the peer and the disk.
    private static let piecesInFlight = 4

    /// Takes up the identity that `identity` keeps, or makes one.
    /// - Parameters:
    ///   - zone: the failure domain; empty when none was named.
    ///   - version: what the node says of the software that it runs.
    /// - Throws: what `identity` throws.
    public init(
        store: ChunkStore, identity: any NodeIdentityStore, zone: String, version: String, peers: any PeerDialer, time: any TimeSource,
        random: any RandomSource, logger: Logger
    ) throws {
        let saved: NodeIdentity
        if let known = try identity.load() {
            saved = known
        } else {
            saved = NodeIdentity(node: NodeID(time: time.now(), random: random), cluster: nil)
            try identity.save(saved)
        }
        id = saved.node
        instance = max(1, random.next())
        cluster = Mutex(saved.cluster)
        self.store = store
        identityStore = identity
        self.zone = zone
        self.version = version
        self.peers = peers
        self.logger = logger
    }

    public func put(
        _ id: FragmentID, pieces: BoundedQueue<Piece>, descriptor: @escaping @Sendable () -> [UInt8]
    ) async throws -> FragmentInfo {
        try await traced("store put", ["chunkflow.fragment": "\(id)"]) {
            try await translating { try await store.put(id, pieces: pieces, descriptor: descriptor) }
        }
    }

    public func get(
        _ id: FragmentID, range: Range<Int>?, deliver: @escaping @Sendable (Piece) async throws -> Void
    ) async throws -> FragmentInfo {
        try await traced("store get", ["chunkflow.fragment": "\(id)"]) {
            try await translating { try await store.get(id, range: range, deliver: deliver) }
        }
    }

    public func getUnverified(
        _ id: FragmentID, range: Range<Int>?, deliver: @escaping @Sendable (StoredPiece) async throws -> Void
    ) async throws -> FragmentInfo {
        try await traced("store get", ["chunkflow.fragment": "\(id)"]) {
            try await translating { try await store.getUnverified(id, range: range, deliver: deliver) }
        }
    }

    public func descriptor(of id: FragmentID) async throws -> [UInt8] {
        try await translating { try await store.descriptor(of: id) }
    }

    public func delete(_ ids: [FragmentID]) async throws {
        try await translating { try await store.delete(ids) }
    }

    public func stat(_ id: FragmentID) -> FragmentInfo? { store.stat(id) }

    public func list(after cursor: ListCursor?, limit: Int) -> FragmentPage {
        let page = store.list(after: cursor?.value, limit: limit)
        return FragmentPage(fragments: page.fragments, next: page.next.map(ListCursor.init))
    }

    public func quarantined(limit: Int) -> [FragmentID] { Array(store.quarantined().sorted().prefix(limit)) }

    public func information() -> NodeInformation {
        let statistics = store.statistics()
        return NodeInformation(
            id: id, cluster: cluster.withLock { $0 }, zone: zone, version: version, capacityBytes: Int64(statistics.capacityBytes),
            availableBytes: Int64(statistics.availableBytes), usedBytes: Int64(statistics.usedBytes),
            liveBytes: Int64(statistics.liveBytes), fragmentCount: Int64(statistics.fragmentCount),
            quarantinedCount: Int64(statistics.quarantinedCount), instance: instance, disks: [DiskHealth(store.diskCondition())])
    }

    public func claim(for wanted: ClusterID) throws -> NodeInformation {
        // Under the lock while it is saved: of two clusters that come at once, one wins.
        try cluster.withLock { cluster in
            if let cluster, cluster != wanted { throw NodeError.wrongCluster(node: id, belongsTo: cluster) }
            guard cluster == nil else { return }
            do {
                try identityStore.save(NodeIdentity(node: id, cluster: wanted))
            } catch {
                throw NodeError.storageFailure(detail: "\(error)")
            }
            cluster = wanted
            logger.notice("joined a cluster", metadata: ["cluster": "\(wanted)", "node": "\(id)"])
        }
        return information()
    }

    public func pull(_ id: FragmentID, from sources: [Peer]) async throws -> FragmentInfo {
        var failures: [String] = []
        for source in sources where source.id != self.id {
            do {
                return try await pull(id, from: source)
            } catch let error as SourceFailed {
                if Task.isCancelled { throw CancellationError() }
                failures.append("\(source.id): \(error.underlying)")
            } catch NodeError.damagedInTransit {
                failures.append("\(source.id): the bytes were damaged on the way")
            }
        }
        throw NodeError.noSource(id, detail: failures.isEmpty ? "no peer to ask" : failures.joined(separator: "; "))
    }

    public func reconstruct(_ id: FragmentID, code: ErasureCode, from sources: [FragmentSource]) async throws -> FragmentInfo {
        let others = sources.filter { $0.number != id.number && $0.number < code.width }
        let reconstruction = FragmentReconstruction(fragment: id, coder: coders.coder(for: code), peers: peers)
        let plan = try await reconstruction.plan(others)
        let pieces = BoundedQueue<Piece>(capacity: FragmentReconstruction.piecesInFlight)
        return try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { await reconstruction.run(plan, into: pieces) }
            defer { group.cancelAll() }
            return try await put(id, descriptor: plan.descriptor, pieces: pieces)
        }
    }

    /// A peer could not serve a fragment. What this node itself cannot do is no reason to ask the next one.
    private struct SourceFailed: Error { let underlying: any Error }

    /// Streams a fragment from a peer into the store, a few pieces at a time.
    private func pull(_ id: FragmentID, from source: Peer) async throws -> FragmentInfo {
        let peer: any ChunkTransport
        let descriptor: [UInt8]
        do {
            peer = try await peers.transport(to: source)
            descriptor = try await peer.descriptor(of: id)
        } catch {
            throw SourceFailed(underlying: error)
        }
        let pieces = BoundedQueue<Piece>(capacity: Self.piecesInFlight)
        return try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask {
                do {
                    _ = try await peer.get(id, range: nil) { try await pieces.send($0) }
                    pieces.finish()
                } catch is BoundedQueue<Piece>.Cancelled {
                    // The store has stopped taking pieces, and says why.
                } catch {
                    pieces.finish(throwing: SourceFailed(underlying: error))
                }
            }
            defer { group.cancelAll() }
            return try await put(id, descriptor: descriptor, pieces: pieces)
        }
    }

    /// Errors of the engine leave as ``NodeError``, those of peers and of receivers as they are.
    private func translating<Value>(_ body: () async throws -> Value) async throws -> Value {
        do {
            return try await body()
        } catch let error as ChunkStoreError {
            throw NodeError(error)
        }
    }
}
