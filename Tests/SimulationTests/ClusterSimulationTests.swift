import ChunkStore
import ChunkTransport
import Core
import ErasureCoding
import Foundation
import Metadata
import NIOCore
import ObjectStore
import Synchronization
import Testing

/// The write path, the read path, repair, collection and rebalancing against nodes that crash, lose calls and rot, members
/// that come and go, and a distributor that is killed; a history is a function of its seed.
///
/// `CHUNKFLOW_SEED=n` replays one seed, `CHUNKFLOW_SEEDS=n` sets how many are run.
@Suite("A simulated cluster")
struct ClusterSimulationTests {
    private static var seeds: [UInt64] {
        let environment = ProcessInfo.processInfo.environment
        if let seed = environment["CHUNKFLOW_SEED"].flatMap(UInt64.init) { return [seed] }
        return (1...(environment["CHUNKFLOW_SEEDS"].flatMap(UInt64.init) ?? 200)).map { $0 }
    }

    @Test("loses nothing that it acknowledged, serves nothing wrong, and heals, whatever the order of events")
    func survivesChaos() async { await run(Self.seeds) }

    @Test("nor when every machine's clock is up to ten minutes off, and another after each start")
    func survivesSkewedClocks() async { await run(Self.seeds.prefix(max(1, Self.seeds.count / 4)).map { $0 }, skewedBy: .seconds(600)) }

    private func run(_ seeds: [UInt64], skewedBy skew: Duration = .zero) async {
        var acknowledged = 0
        var refused = 0
        var changes = 0
        for seed in seeds {
            do {
                let history = try await Self.history(seed: seed, skew: skew)
                acknowledged += history.acknowledged
                refused += history.refused
                changes += history.changes
            } catch {
                Issue.record("seed \(seed): \(error) (replay with CHUNKFLOW_SEED=\(seed))")
                return
            }
        }
        // A simulation in which nothing succeeds, or nothing fails, would prove nothing.
        guard seeds.count >= 10 else { return }
        #expect(acknowledged > seeds.count, "\(acknowledged) uploads acknowledged")
        #expect(refused > seeds.count, "\(refused) uploads refused")
        #expect(changes > seeds.count, "\(changes) changes of members")
    }

    @Test("has the same history for the same seed")
    func isDeterministic() async throws {
        let history = try await Self.history(seed: 4711)
        #expect(try await Self.history(seed: 4711) == history)
        #expect(try await Self.history(seed: 4712) != history)
    }

    private struct History: Equatable {
        let fingerprint: UInt64
        /// Uploads.
        let acknowledged: Int
        let refused: Int
        /// Of members.
        let changes: Int
    }

    /// On a thread of its own: histories take long, and the pool's few threads are for the other tests.
    private static func history(seed: UInt64, skew: Duration = .zero) async throws -> History {
        try await withCheckedThrowingContinuation { continuation in
            thread.async { continuation.resume(with: Result { try replay(seed: seed, skew: skew) }) }
        }
    }

    private static let thread = DispatchQueue(label: "simulation")

    private static func replay(seed: UInt64, skew: Duration) throws -> History {
        let scheduler = DeterministicScheduler(seed: seed)
        let run = try scheduler.run(limit: .seconds(24 * 3600)) {
            let run = try await SimulationRun(scheduler: scheduler, skew: skew)
            try await run.chaos()
            try await run.heal()
            try await run.checkEverything()
            // Files and flushes of a real disk: not for every history.
            if seed.isMultiple(of: 10) { try await run.rebuildMetadata() }
            return run
        }
        return History(
            fingerprint: scheduler.fingerprint, acknowledged: run.uploads.acknowledged, refused: run.uploads.refused, changes: run.changes)
    }
}

/// A fault of the store, found.
struct Violation: Error, CustomStringConvertible {
    let description: String
    init(_ description: String) { self.description = description }
}

/// One history: clients and misfortunes side by side, then peace, then the checks.
private final class SimulationRun: Sendable {
    private struct Known {
        var acknowledged: [FileID: SimulatedFile] = [:]
        /// Deleted, or being deleted: may be there or not, until the deletion is acknowledged.
        var deleting: Set<FileID> = []
        var uploads = (acknowledged: 0, refused: 0)
        /// Of members.
        var changes = 0
        var violation: Violation?
    }

    private let scheduler: DeterministicScheduler
    private let cluster: SimulatedCluster
    private let known = Mutex(Known())
    /// Rot strikes this node only: with a quorum of two, another always has an intact copy.
    private let rotten: SimulatedNode
    /// Bytes of the files that are uploaded.
    private let sizes: [Int]
    private let skew: Duration
    private var random: SeededRandom { scheduler.random }

    /// Of the machine that starts next. Draws nothing where clocks are right.
    private var clockOffset: Duration {
        skew == .zero ? .zero : .milliseconds(random.next(in: 0..<Int(2 * skew.milliseconds)) - Int(skew.milliseconds))
    }

    var uploads: (acknowledged: Int, refused: Int) { known.withLock { $0.uploads } }
    var changes: Int { known.withLock { $0.changes } }

    /// - Parameter skew: how far clocks may be off, either way.
    init(scheduler: DeterministicScheduler, skew: Duration) async throws {
        self.scheduler = scheduler
        self.skew = skew
        var sizes = [0, 1, 1000, 65_536, 65_537, 131_072, 131_073]
        var configuration = StoreConfiguration()
        configuration.chunkSize = 128 * 1024
        configuration.pieceSize = 64 * 1024
        configuration.orphanGrace = .seconds(600)
        configuration.sweepInterval = .seconds(900)
        // After a rebuild too what nobody knows is to be gone when a history ends.
        configuration.restoreGrace = .seconds(3600)
        if scheduler.random.next(in: 0..<3) == 0 { configuration.nodeGrace = .seconds(3) }
        configuration.storageClass = [.replicated, .replicated, Self.code(2, 1), Self.code(3, 2)][scheduler.random.next(in: 0..<4)]
        if configuration.storageClass != .replicated {
            // Room for more than a row.
            configuration.chunkSize = 1024 * 1024
            configuration.smallObjectLimit = 1000
        }
        sizes += configuration.storageClass == .replicated ? [300_000, 524_288] : [300_000, 524_289, 1_048_576, 1_300_000]
        cluster = try await SimulatedCluster(nodeCount: 5, spareCount: 2, configuration: configuration, scheduler: scheduler)
        self.sizes = sizes
        rotten = cluster.nodes[scheduler.random.next(in: 0..<cluster.nodes.count)]
    }

    private static func code(_ dataCount: Int, _ parityCount: Int) -> StorageClass? {
        ErasureCode(dataCount: dataCount, parityCount: parityCount).map(StorageClass.coded)
    }

    func chaos() async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            for _ in 0..<4 { group.addTask { try await self.client(operations: 6) } }
            group.addTask { try await self.misfortunes(count: 8) }
            try await group.waitForAll()
        }
        if let violation = known.withLock({ $0.violation }) { throw violation }
    }

    // MARK: Clients

    private func client(operations: Int) async throws {
        for _ in 0..<operations {
            switch random.next(in: 0..<10) {
            case 0..<5: await upload()
            case 5..<9: await readOne()
            default: await deleteOne()
            }
            try await scheduler.sleep(for: .milliseconds(random.next(in: 0..<400)))
        }
    }

    private func upload() async {
        guard let store = cluster.store else { return }
        let file = SimulatedFile(seed: random.next(), byteCount: sizes[random.next(in: 0..<sizes.count)])
        let breaksAt = random.next(in: 0..<8) == 0 ? random.next(in: 0..<file.byteCount + 1) : nil
        let body = SimulatedBody(file: file, breaksAt: breaksAt, scheduler: scheduler)
        let task = Task { try await store.upload(UploadDescription(fileName: "\(file.seed)"), body: body) }
        if random.next(in: 0..<8) == 0 {
            try? await scheduler.sleep(for: .milliseconds(random.next(in: 0..<60)))
            task.cancel()
        }
        guard let record = try? await task.value, let id = FileID(record.key) else {
            known.withLock { $0.uploads.refused += 1 }
            return
        }
        if breaksAt != nil { report("an upload that broke off was acknowledged") }
        known.withLock {
            $0.acknowledged[id] = file
            $0.uploads.acknowledged += 1
        }
    }

    private func readOne() async {
        let files = known.withLock { $0.acknowledged }.sorted { $0.key < $1.key }
        guard !files.isEmpty, let store = cluster.store else { return }
        let (id, file) = files[random.next(in: 0..<files.count)]
        do {
            try await read(id, file, from: store, mustExist: false)
        } catch let violation as Violation {
            report(violation.description)
        } catch {
            // Unavailable for the moment: allowed while nodes are down.
        }
    }

    private func deleteOne() async {
        let files = known.withLock { $0.acknowledged }.sorted { $0.key < $1.key }
        guard !files.isEmpty, let store = cluster.store else { return }
        let id = files[random.next(in: 0..<files.count)].key
        known.withLock {
            $0.acknowledged[id] = nil
            $0.deleting.insert(id)
        }
        if (try? await store.deleteFile(id)) == nil {
            // Not acknowledged: either state is right, neither is checked.
        }
    }

    private func report(_ text: String) { known.withLock { $0.violation = $0.violation ?? Violation(text) } }

    private func read(_ id: FileID, _ file: SimulatedFile, from store: ObjectStore, mustExist: Bool) async throws {
        guard let record = try await store.file(id) else {
            if mustExist || known.withLock({ $0.acknowledged[id] != nil }) { throw Violation("acknowledged file \(id) is not there") }
            return
        }
        guard record.byteCount == Int64(file.byteCount) else { throw Violation("file \(id) has \(record.byteCount) bytes") }
        guard file.byteCount > 0 else { return }
        let lower = mustExist ? 0 : random.next(in: 0..<file.byteCount)
        let upper = mustExist ? file.byteCount : random.next(in: lower + 1..<file.byteCount + 1)
        let position = Mutex(lower)
        try await store.read(record, range: Int64(lower)..<Int64(upper)) { bytes in
            let start = position.withLock { $0 }
            let end = start + bytes.readableBytes
            guard end <= upper, file.bytes(start..<end) == Array(bytes.readableBytesView) else {
                throw Violation("file \(id): wrong bytes at \(start)..<\(end)")
            }
            position.withLock { $0 = end }
        }
        guard position.withLock({ $0 }) == upper else { throw Violation("file \(id): a short read passed for a whole one") }
    }

    // MARK: Misfortunes

    private func misfortunes(count: Int) async throws {
        for _ in 0..<count {
            try await scheduler.sleep(for: .milliseconds(random.next(in: 0..<500)))
            let node = cluster.nodes[random.next(in: 0..<cluster.nodes.count)]
            switch random.next(in: 0..<12) {
            case 8..<12: await changeMembers(node)
            case 0..<3:
                node.crash()
                try await scheduler.sleep(for: .milliseconds(random.next(in: 0..<6_000)))
                try await node.start(clockOffset: clockOffset)
            case 3:
                node.setFaults(
                    .init(maximumDelay: .milliseconds(random.next(in: 1..<200)), lostCalls: random.next(in: 0..<200), slowPieces: 50))
            case 4: node.setFaults(.none)
            case 5: rotten.disk.flipRandomBit(random: random)
            case 6:
                let both = (node, cluster.nodes[random.next(in: 0..<cluster.nodes.count)])
                both.0.crash()
                both.1.crash()
                try await scheduler.sleep(for: .milliseconds(random.next(in: 0..<2_000)))
                try await both.0.start(clockOffset: clockOffset)
                try await both.1.start(clockOffset: clockOffset)
            default:
                await cluster.stopDistributor()
                try await scheduler.sleep(for: .milliseconds(random.next(in: 0..<1_000)))
                try await cluster.startDistributor(clockOffset: clockOffset)
            }
        }
    }

    /// What an operator does, or has done already and does again.
    private func changeMembers(_ node: SimulatedNode) async {
        guard let store = cluster.store else { return }
        do {
            switch random.next(in: 0..<6) {
            case 0..<2:
                let spare = cluster.nodes[random.next(in: cluster.nodes.count - 2..<cluster.nodes.count)]
                _ = try await store.addNode(at: "\(spare.id)")
            case 2: _ = try await store.apply(.drain(node.id), force: false)
            case 3: _ = try await store.apply(.setWeight(node.id, Double(random.next(in: 1..<4))), force: false)
            case 4: _ = try await store.apply(.remove(node.id), force: false)
            default: _ = try await store.apply(.restore(node.id), force: false)
            }
            known.withLock { $0.changes += 1 }
        } catch {
            // Refused, or the node does not answer.
        }
    }

    // MARK: Peace, and the checks

    func heal() async throws {
        for node in cluster.nodes {
            node.setFaults(.none)
            try await node.start()
        }
        // A fresh distributor sweeps at its start; its queue of repairs is the one that the metadata kept.
        await cluster.stopDistributor()
        // One whose clock is behind takes blobs that were made by another for younger than its sweep, until it has caught up.
        try await scheduler.sleep(for: skew)
        try await cluster.startDistributor()
        guard let store = cluster.store else { throw Violation("no distributor") }
        for node in cluster.nodes { try await node.scrub() }
        let deadline = scheduler.monotonicNow() + .seconds(4 * 3600)
        while true {
            try await scheduler.sleep(for: .seconds(30))
            let status = try await store.clusterStatus()
            let isSound = status.nodes.allSatisfy { $0.state == .left || $0.quarantinedCount == 0 }
            if status.repairQueueLength == 0, status.rebalance == nil, isSound, try await surplus(store).isEmpty { return }
            guard scheduler.monotonicNow() < deadline else {
                throw Violation(
                    "not healed: \(status.repairQueueLength) repairs left, \(status.rebalance?.blobsLeft ?? 0) blobs not moved, "
                        + "surplus \(try await surplus(store))")
            }
        }
    }

    /// What members hold beyond what the layout gives them of the files that there are.
    private func surplus(_ store: ObjectStore) async throws -> [NodeID: Set<FragmentID>] {
        var expected: [NodeID: Set<FragmentID>] = [:]
        for blob in try await store.files(after: nil, limit: 1000).flatMap(\.blobs) {
            for index in 0..<UInt32(blob.chunkCount) {
                let chunk = ChunkID(blob: blob.id, index: index)
                for home in store.expectedNodes(of: chunk, in: blob) { expected[home.node, default: []].insert(home.fragment) }
            }
        }
        let members = Set(try await store.clusterStatus().nodes.filter { $0.state != .left }.map(\.id))
        return try await cluster.inventory().reduce(into: [:]) { surplus, entry in
            let fragments = entry.value.subtracting(expected[entry.key] ?? [])
            if members.contains(entry.key), !fragments.isEmpty { surplus[entry.key] = fragments }
        }
    }

    func checkEverything() async throws {
        guard let store = cluster.store else { throw Violation("no distributor") }
        for (id, file) in known.withLock({ $0.acknowledged }).sorted(by: { $0.key < $1.key }) {
            try await read(id, file, from: store, mustExist: true)
        }
        // What is visible without having been acknowledged must be whole all the same.
        for record in try await store.files(after: nil, limit: 1000) {
            guard let id = FileID(record.key) else { throw Violation("a key that is no fileID: \(record.key)") }
            let file = SimulatedFile(seed: UInt64(record.fileName ?? "") ?? 0, byteCount: Int(record.byteCount))
            try await read(id, file, from: store, mustExist: true)
        }
        try await checkCopies(store)
        await cluster.stopDistributor()
    }

    /// The metadata are lost: what is told from the nodes alone must be what they were, and work.
    func rebuildMetadata() async throws {
        let before = try await visibleObjects()
        let present = try await cluster.metadata.nodes().filter { $0.membership == .member || $0.membership == .draining }.map(\.id)
        let report = try await cluster.rebuildMetadata(
            from: cluster.nodes.filter { present.contains($0.id) }, directory: try ScratchDirectory())
        let after = try await visibleObjects()
        guard after == before else {
            throw Violation("\(before.count) objects before, \(after.count) after the rebuild: \(report.counts), \(report.entries)")
        }
        try await cluster.startDistributor()
        try await heal()
        try await checkEverything()
    }

    /// What decides over objects, but for the layout that they follow.
    private func visibleObjects() async throws -> [String: [String]] {
        let metadata = cluster.metadata
        // Where there was no object at all, the nodes do not know of a bucket either.
        guard let bucket = try await metadata.bucket(named: ObjectStore.fileBucketName) else { return [:] }
        return try await metadata.objects(in: bucket.id, after: nil, limit: 1000).reduce(into: [:]) { objects, object in
            objects[object.key] =
                [
                    "\(object.version)", object.fileName ?? "-", object.contentType, object.etag, "\(object.crc32c ?? 0)",
                    "\(object.createdAt)",
                ]
                + object.blobs.flatMap { ["\($0.id)", "\($0.byteCount)", "\($0.chunkSize)", $0.storageClass] }
        }
    }

    /// Every fragment must be on every node that the layout names, and none of them may have rotted.
    private func checkCopies(_ store: ObjectStore) async throws {
        let inventory = try await cluster.inventory()
        for blob in try await store.files(after: nil, limit: 1000).flatMap(\.blobs) {
            for index in 0..<UInt32(blob.chunkCount) {
                let chunk = ChunkID(blob: blob.id, index: index)
                for home in store.expectedNodes(of: chunk, in: blob) {
                    guard inventory[home.node]?.contains(home.fragment) == true else {
                        throw Violation("fragment \(home.fragment) is missing on node \(home.node), and nothing is going to repair it")
                    }
                }
            }
        }
    }
}
