import ChunkStore
import ChunkTransport
import Core
import ErasureCoding
import Logging
import NIOCore
import Synchronization

/// A storage node of the simulation: the real engine on a disk that forgets what was not synced, behind a network that
/// delays and loses calls, with a power switch.
final class SimulatedNode: ChunkTransport {
    /// How badly the network behaves. Chances are in thousandths.
    struct Faults: Sendable {
        var maximumDelay: Duration = .milliseconds(3)
        /// A call that never reaches the node, or whose answer never comes back.
        var lostCalls = 0
        /// A piece that is delayed a hundred times longer than usual.
        var slowPieces = 0
        /// How the disk serves calls that read or write fragments; all others go on.
        var disk = DiskFault.none
        static let none = Faults()
    }

    enum DiskFault: Sendable {
        case none
        /// Every call fails.
        case fails
        /// No call ends before this is over.
        case hangs
    }

    private struct State {
        var transport: LocalChunkTransport?
        var store: ChunkStore?
        var generation = 0
        var faults = Faults()
    }

    let id: NodeID
    let disk: SimulatedDisk
    private let identity: InMemoryNodeIdentityStore
    private let scheduler: DeterministicScheduler
    private let peers: any PeerDialer
    private let journal: TransferJournal
    private let state = Mutex(State())
    private let dataCalls = Mutex(0)
    private let served = Mutex(0)

    init(number: Int, scheduler: DeterministicScheduler, peers: any PeerDialer, journal: TransferJournal) {
        id = NodeID(uuid: UUIDv7(high: UInt64(number) + 1, low: scheduler.random.next()))
        disk = SimulatedDisk()
        identity = InMemoryNodeIdentityStore(NodeIdentity(node: id, cluster: nil))
        self.scheduler = scheduler
        self.peers = peers
        self.journal = journal
    }

    /// Bytes of fragments that the node has sent.
    var servedByteCount: Int { served.withLock { $0 } }
    /// Calls so far that read or write fragments.
    var dataCallCount: Int { dataCalls.withLock { $0 } }

    var isUp: Bool { state.withLock { $0.transport != nil } }
    func setFaults(_ faults: Faults) { state.withLock { $0.faults = faults } }

    /// Power on: opens what the disk kept.
    /// - Parameter clockOffset: of its time of day.
    func start(clockOffset: Duration = .zero) async throws {
        guard !isUp else { return }
        let time = AlteredTime(base: scheduler, offset: clockOffset)
        let configuration = ChunkStore.Configuration(segmentSize: 4 * 1024 * 1024)
        let store = try await ChunkStore.open(
            disk: disk, configuration: configuration, executor: InlineExecutor(), time: time, random: scheduler.random,
            logger: .silent)
        let transport = try LocalChunkTransport(
            store: store, identity: identity, zone: "", version: "simulated", peers: peers, time: time, random: scheduler.random,
            logger: .silent)
        state.withLock {
            $0.store = store
            $0.transport = transport
        }
    }

    /// Power off, in the middle of whatever goes on.
    func crash() {
        state.withLock {
            $0.store = nil
            $0.transport = nil
            $0.generation += 1
        }
        disk.crash(random: scheduler.random)
    }

    /// Puts a small fragment there, past the distributor.
    func store(_ id: FragmentID) async throws {
        let pieces = BoundedQueue<Piece>(capacity: 1)
        _ = try pieces.offer(Piece(checksumming: ByteBuffer(repeating: 0, count: 10)))
        pieces.finish()
        _ = try await put(id, descriptor: [], pieces: pieces)
    }

    /// Re-reads all that the node has.
    func scrub() async throws {
        guard let store = state.withLock({ $0.store }) else { return }
        try await Scrubber(store: store, progress: NoProgress(), period: .seconds(60), time: scheduler, logger: .silent).pass()
    }

    private struct NoProgress: ScrubProgressStore {
        func load() -> ScrubProgress? { nil }
        func save(_ progress: ScrubProgress) {}
    }

    // MARK: The network

    private var lost: NodeError { .unreachable(address: "\(id)", detail: "simulated") }

    private func delay(factor: Int = 1) async throws {
        let limit = state.withLock { $0.faults.maximumDelay } * factor
        try await scheduler.sleep(for: .nanoseconds(Int64(scheduler.random.next() % UInt64(max(1, limit.nanoseconds)))))
    }

    private func chance(_ thousandths: Int) -> Bool { scheduler.random.next(in: 0..<1000) < thousandths }

    private func call<Value: Sendable>(_ body: (LocalChunkTransport) async throws -> Value) async throws -> Value {
        try await delay()
        let (transport, generation, faults) = state.withLock { ($0.transport, $0.generation, $0.faults) }
        guard let transport else {
            try await delay(factor: 50)
            throw lost
        }
        if chance(faults.lostCalls) { throw lost }
        let result: Result<Value, any Error>
        do { result = .success(try await body(transport)) } catch { result = .failure(error) }
        try await delay()
        guard state.withLock({ $0.generation }) == generation else { throw lost }
        if chance(faults.lostCalls) { throw lost }
        return try result.get()
    }

    /// A call that reads or writes fragments.
    private func dataCall<Value: Sendable>(_ body: (LocalChunkTransport) async throws -> Value) async throws -> Value {
        dataCalls.withLock { $0 += 1 }
        return try await call { transport in
            switch self.state.withLock({ $0.faults.disk }) {
            case .none: return try await body(transport)
            case .fails: throw NodeError.storageFailure(detail: "simulated")
            case .hangs:
                while self.state.withLock({ $0.faults.disk }) == .hangs { try await self.scheduler.sleep(for: .seconds(1)) }
                throw self.lost
            }
        }
    }

    /// Whether the node that served a stream when it began is still the one that runs.
    private func stillRuns(_ generation: Int) -> Bool { state.withLock { $0.generation == generation } }

    func put(
        _ id: FragmentID, pieces: BoundedQueue<Piece>, descriptor: @escaping @Sendable () -> [UInt8]
    ) async throws -> FragmentInfo {
        do {
            return try await dataCall { transport in
                let generation = state.withLock { $0.generation }
                let received = BoundedQueue<Piece>(capacity: 2)
                return try await withThrowingTaskGroup(of: FragmentInfo?.self) { group in
                    group.addTask { try await transport.put(id, pieces: received, descriptor: descriptor) }
                    group.addTask {
                        do {
                            while let piece = try await pieces.next() {
                                let slow = self.chance(self.state.withLock { $0.faults.slowPieces })
                                try await self.delay(factor: slow ? 100 : 1)
                                guard self.stillRuns(generation) else { throw self.lost }
                                try await received.send(piece)
                            }
                            received.finish()
                        } catch is BoundedQueue<Piece>.Cancelled {
                            // The node's own put knows why.
                        } catch {
                            received.finish(throwing: error)
                        }
                        return nil
                    }
                    defer { group.cancelAll() }
                    while let outcome = try await group.next() { if let outcome { return outcome } }
                    throw self.lost
                }
            }
        } catch {
            pieces.cancel()
            throw error
        }
    }

    func get(
        _ id: FragmentID, range: Range<Int>?, deliver: @escaping @Sendable (Piece) async throws -> Void
    ) async throws -> FragmentInfo {
        try await dataCall { transport in
            let generation = state.withLock { $0.generation }
            return try await transport.get(id, range: range) { piece in
                try await self.delay()
                guard self.stillRuns(generation) else { throw self.lost }
                self.served.withLock { $0 += piece.bytes.readableBytes }
                try await deliver(piece)
            }
        }
    }

    func descriptor(of id: FragmentID) async throws -> [UInt8] { try await call { try await $0.descriptor(of: id) } }
    func delete(_ ids: [FragmentID]) async throws { try await call { try await $0.delete(ids) } }
    func stat(_ id: FragmentID) async throws -> FragmentInfo? { try await call { $0.stat(id) } }
    func list(after cursor: ListCursor?, limit: Int) async throws -> FragmentPage {
        try await call { $0.list(after: cursor, limit: limit) }
    }
    func quarantined(limit: Int) async throws -> [FragmentID] { try await call { $0.quarantined(limit: limit) } }
    func information() async throws -> NodeInformation { try await call { $0.information() } }
    func claim(for cluster: ClusterID) async throws -> NodeInformation { try await call { try $0.claim(for: cluster) } }
    func pull(_ id: FragmentID, from sources: [Peer]) async throws -> FragmentInfo {
        journal.note(.init(fragment: id, node: self.id, at: scheduler.monotonicNow()))
        return try await dataCall { try await $0.pull(id, from: sources) }
    }

    func reconstruct(_ id: FragmentID, code: ErasureCode, from sources: [FragmentSource]) async throws -> FragmentInfo {
        journal.note(.init(fragment: id, node: self.id, at: scheduler.monotonicNow()))
        return try await dataCall { try await $0.reconstruct(id, code: code, from: sources) }
    }
}

extension Logger {
    static var silent: Logger { Logger(label: "simulation", factory: { _ in SwiftLogNoOpLogHandler() }) }
}
