import ChunkTransport
import Core
import ErasureCoding
import Metadata
import ObjectStore
import Testing

/// A node that answers health checks while its disk fails, for good or for a while.
@Suite("A failing disk in a simulated cluster")
struct FailingDiskTests {
    private static func configuration(_ storageClass: StorageClass?) -> StoreConfiguration {
        var configuration = StoreConfiguration()
        configuration.chunkSize = 128 * 1024
        configuration.pieceSize = 64 * 1024
        configuration.smallObjectLimit = 1000
        configuration.storageClass = storageClass
        return configuration
    }

    @Test(
        "costs uploads and reads nothing, is left alone but for ever rarer trials, and is used again when it works",
        arguments: [1, 2] as [UInt64], ["replicated", "ec-2-2"])
    func isPassedOver(seed: UInt64, storageClass: String) async throws {
        let scheduler = DeterministicScheduler(seed: seed)
        try await scheduler.runApart(limit: .seconds(24 * 3600)) {
            let cluster = try await SimulatedCluster(
                nodeCount: 5, configuration: Self.configuration(StorageClass(storageClass)), scheduler: scheduler)
            guard let store = cluster.store else { throw Violation("no distributor") }
            var records: [ObjectRecord] = []
            for number in 0..<5 { records.append(try await cluster.upload(seed &* 1000 &+ UInt64(number), byteCount: 500_000)) }
            try await cluster.wait(atMost: .seconds(60), until: "all is written") {
                try await store.clusterStatus().repairQueueLength == 0
            }
            let failing = cluster.nodes[Int(seed) % 5]
            func state() async throws -> NodeState? { try await store.clusterStatus().nodes.first { $0.id == failing.id }?.state }

            failing.setFaults(.init(disk: .fails))
            for number in 5..<10 { records.append(try await cluster.upload(seed &* 1000 &+ UInt64(number), byteCount: 500_000)) }
            for record in records { try await cluster.check(record) }
            let before = failing.dataCallCount
            let queued = try await store.clusterStatus().repairQueueLength
            // Fragments of 5 files of 4 chunks at most: nothing is queued twice, and nothing else.
            guard queued <= 20 else { throw Violation("seed \(seed): \(queued) repairs for 20 chunks") }
            for number in 10..<20 {
                try await scheduler.sleep(for: .seconds(30))
                guard try await state() == .failing else { throw Violation("seed \(seed): it is \(String(describing: try await state()))") }
                records.append(try await cluster.upload(seed &* 1000 &+ UInt64(number), byteCount: 500_000))
                for record in records { try await cluster.check(record) }
            }
            // 300 s: trials after 1, 2, 4, 8, 16, 32, 60 s, and then each minute.
            let calls = failing.dataCallCount - before
            guard calls <= 20 else { throw Violation("seed \(seed): \(calls) calls to a disk that fails") }
            let longer = try await store.clusterStatus().repairQueueLength
            guard longer <= 60 else { throw Violation("seed \(seed): \(longer) repairs for 60 chunks") }

            failing.setFaults(.none)
            try await cluster.wait(atMost: .seconds(61), until: "seed \(seed): it is up again") { try await state() == .up }
            try await cluster.wait(atMost: .seconds(120), until: "seed \(seed): it has what it missed") {
                try await store.clusterStatus().repairQueueLength == 0
            }
            for record in records { try await cluster.check(record) }
            await cluster.stopDistributor()
        }
    }

    @Test(
        "is taken out after the grace time, so that neither queue nor risk grows, and taken back when it works",
        arguments: [1, 2] as [UInt64])
    func isTakenOut(seed: UInt64) async throws {
        let scheduler = DeterministicScheduler(seed: seed)
        try await scheduler.runApart(limit: .seconds(24 * 3600)) {
            var configuration = Self.configuration(.replicated)
            configuration.nodeGrace = .seconds(120)
            let cluster = try await SimulatedCluster(nodeCount: 5, configuration: configuration, scheduler: scheduler)
            guard let store = cluster.store else { throw Violation("no distributor") }
            let failing = cluster.nodes[0]
            func state() async throws -> NodeState? { try await store.clusterStatus().nodes.first { $0.id == failing.id }?.state }
            failing.setFaults(.init(disk: .fails))
            var records: [ObjectRecord] = []
            for number in 0..<10 { records.append(try await cluster.upload(seed &* 1000 &+ UInt64(number), byteCount: 500_000)) }
            try await cluster.wait(atMost: .seconds(200), until: "seed \(seed): it is taken out and nothing waits for it") {
                let status = try await store.clusterStatus()
                return try await state() == .left && status.rebalance == nil && status.repairQueueLength == 0
            }
            failing.setFaults(.none)
            try await cluster.wait(atMost: .seconds(120), until: "seed \(seed): it is a member again, with its share") {
                let status = try await store.clusterStatus()
                return try await state() == .up && status.rebalance == nil && status.repairQueueLength == 0
            }
            let held = try await cluster.inventory()[failing.id]
            guard held?.isEmpty == false else { throw Violation("seed \(seed): it has nothing") }
            for record in records { try await cluster.check(record) }
            await cluster.stopDistributor()
        }
    }
}
