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
        static let none = Faults()
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
    private let state = Mutex(State())

    init(number: Int, scheduler: DeterministicScheduler, peers: any PeerDialer) {
        id = NodeID(uuid: UUIDv7(high: UInt64(number) + 1, low: scheduler.random.next()))
        disk = SimulatedDisk()
        identity = InMemoryNodeIdentityStore(NodeIdentity(node: id, cluster: nil))
        self.scheduler = scheduler
        self.peers = peers
    }

    var isUp: Bool { state.withLock { $0.transport != nil } }
    func setFaults(_ faults: Faults) { state.withLock { $0.faults = faults } }

    /// Power on: opens what the disk kept.
    func start() async throws {
        guard !isUp else { return }
        let configuration = ChunkStore.Configuration(segmentSize: 4 * 1024 * 1024)
        let store = try await ChunkStore.open(
            disk: disk, configuration: configuration, executor: InlineExecutor(), time: scheduler, random: scheduler.random,
            logger: .silent)
        let transport = try LocalChunkTransport(
            store: store, identity: identity, zone: "", version: "simulated", peers: peers, time: scheduler, random: scheduler.random,
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

    /// Whether the node that served a stream when it began is still the one that runs.
    private func stillRuns(_ generation: Int) -> Bool { state.withLock { $0.generation == generation } }

    func put(_ id: FragmentID, descriptor: [UInt8], pieces: BoundedQueue<Piece>) async throws -> FragmentInfo {
        do {
            return try await call { transport in
                let generation = state.withLock { $0.generation }
                let received = BoundedQueue<Piece>(capacity: 2)
                return try await withThrowingTaskGroup(of: FragmentInfo?.self) { group in
                    group.addTask { try await transport.put(id, descriptor: descriptor, pieces: received) }
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
        try await call { transport in
            let generation = state.withLock { $0.generation }
            return try await transport.get(id, range: range) { piece in
                try await self.delay()
                guard self.stillRuns(generation) else { throw self.lost }
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
        try await call { try await $0.pull(id, from: sources) }
    }

    func reconstruct(_ id: FragmentID, code: ErasureCode, from sources: [FragmentSource]) async throws -> FragmentInfo {
        try await call { try await $0.reconstruct(id, code: code, from: sources) }
    }
}

extension Logger {
    static var silent: Logger { Logger(label: "simulation", factory: { _ in SwiftLogNoOpLogHandler() }) }
}
