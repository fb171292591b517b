import ChunkStore
import Core
import Metadata
import ObjectStore
import Testing

/// Changes of the layout, and disks that cannot hold what they would get.
@Suite("Room for a change in a simulated cluster")
struct RoomTests {
    private static let fileSize = 1_048_576
    private static let fileCount = 6

    /// Three nodes with two copies of everything, of which the last has room for `room` bytes more.
    private static func withCluster(room: Int, _ body: @Sendable @escaping (SimulatedCluster, ObjectStore, NodeID) async throws -> Void)
        throws
    {
        let scheduler = DeterministicScheduler(seed: 1)
        try scheduler.run(limit: .seconds(24 * 3600)) {
            var configuration = StoreConfiguration()
            configuration.chunkSize = 128 * 1024
            configuration.pieceSize = 64 * 1024
            configuration.replicas = 2
            let cluster = try await SimulatedCluster(nodeCount: 3, configuration: configuration, scheduler: scheduler)
            guard let store = cluster.store else { throw Violation("no distributor") }
            for number in 0..<fileCount {
                let file = SimulatedFile(seed: UInt64(number), byteCount: fileSize)
                let body = SimulatedBody(file: file, breaksAt: nil, scheduler: scheduler)
                _ = try await store.upload(UploadDescription(fileName: "\(file.seed)"), body: body)
            }
            let tight = cluster.nodes[2]
            let space = try tight.disk.space()
            // An eighth of the disk is the engine's reserve.
            tight.disk.setCapacity((space.capacityBytes - space.availableBytes + room) * 8 / 7)
            // The node has been asked since.
            try await scheduler.sleep(for: .seconds(5))
            try await body(cluster, store, tight.id)
            await cluster.stopDistributor()
        }
    }

    /// The numbers in a refusal.
    private static func refusal(_ body: () async throws -> some Any) async throws -> (node: String, needed: Int, room: Int) {
        do {
            _ = try await body()
        } catch AdministrationError.refused(let detail) {
            guard let match = detail.wholeMatch(of: /node (\S+) would get (\d+) bytes and has room for (\d+)/),
                let needed = Int(match.2), let room = Int(match.3)
            else { throw Violation("refused with \(detail)") }
            return (String(match.1), needed, room)
        }
        throw Violation("not refused")
    }

    @Test("a drain is refused when one of the others cannot hold its part, however much room all of them have together")
    func drain() throws {
        try Self.withCluster(room: 500_000) { cluster, store, tight in
            let version = try await store.layoutStatus().version
            let change = LayoutChange.drain(cluster.nodes[0].id)
            let refusal = try await Self.refusal { try await store.apply(change, force: false) }
            // It has two of three copies of everything and would have all.
            let share = Self.fileCount * Self.fileSize / 3
            #expect(refusal.node == "\(tight)" && abs(refusal.needed - share) < share / 20, "\(refusal)")
            #expect(refusal.room <= 500_000 && refusal.room > 400_000, "\(refusal)")
            let plan = try await store.plan(change)
            #expect(plan.refusal?.contains("\(refusal.needed) bytes and has room for \(refusal.room)") == true)
            #expect(try await store.layoutStatus().version == version)
            #expect(try await store.apply(change, force: true).toVersion == version + 1)
        }
    }

    @Test("so is a weight that would give a node more than it can hold; what goes the other way is not")
    func weight() throws {
        try Self.withCluster(room: 500_000) { cluster, store, tight in
            let refusal = try await Self.refusal { try await store.apply(.setWeight(tight, 100), force: false) }
            #expect(refusal.node == "\(tight)")
            _ = try await store.apply(.setWeight(tight, 0.5), force: false)
        }
    }

    @Test("what a node still has is room for it when it is taken back; a disk that is new must have room for all")
    func restore() throws {
        let share = Self.fileCount * Self.fileSize * 2 / 3
        try Self.withCluster(room: share / 2) { cluster, store, tight in
            _ = try await store.apply(.remove(tight), force: true)
            // The others have everything then.
            try await cluster.scheduler.sleep(for: .seconds(120))
            #expect(try await store.clusterStatus().rebalance == nil)
            _ = try await store.apply(.restore(tight), force: false)
        }
        try Self.withCluster(room: 100_000) { cluster, store, tight in
            _ = try await store.apply(.remove(tight), force: true)
            try await cluster.scheduler.sleep(for: .seconds(120))
            for (node, fragments) in try await cluster.inventory() where node == tight {
                try await cluster.nodes[2].delete(fragments.sorted())
            }
            cluster.nodes[2].disk.setCapacity(1_000_000)
            try await cluster.scheduler.sleep(for: .seconds(10))
            let refusal = try await Self.refusal { try await store.apply(.restore(tight), force: false) }
            #expect(refusal.node == "\(tight)" && abs(refusal.needed - share) < share / 10 && refusal.room < 1_000_000, "\(refusal)")
        }
    }
}
