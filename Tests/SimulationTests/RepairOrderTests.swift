import ChunkTransport
import Core
import ErasureCoding
import Metadata
import ObjectStore
import Testing

/// In which order, how fast and how independently fragments are restored.
@Suite("Repair in a simulated cluster")
struct RepairOrderTests {
    private static func configuration() -> StoreConfiguration {
        var configuration = StoreConfiguration()
        configuration.chunkSize = 64 * 1024
        configuration.pieceSize = 64 * 1024
        configuration.storageClass = .replicated
        return configuration
    }

    private static func homes(_ records: [ObjectRecord], _ store: ObjectStore) -> [(fragment: FragmentID, node: NodeID)] {
        records.flatMap(\.blobs).flatMap { blob in
            (0..<UInt32(blob.chunkCount)).flatMap { store.expectedNodes(of: ChunkID(blob: blob.id, index: $0), in: blob) }
        }
    }

    /// Removes fragments behind the distributor's back and queues them for repair.
    private static func lose(_ homes: [(fragment: FragmentID, node: NodeID)], of cluster: SimulatedCluster) async throws {
        for node in cluster.nodes {
            let lost = homes.filter { $0.node == node.id }.map(\.fragment)
            if !lost.isEmpty { try await node.delete(lost) }
        }
        try await cluster.metadata.enqueueRepairs(
            homes.map {
                RepairRecord(
                    fragment: $0.fragment, node: $0.node, layoutVersion: 1, reason: .missing, tolerance: 2, attempts: 0,
                    dueAt: cluster.scheduler.now())
            })
    }

    @Test("a node whose disk hangs holds up its own repairs and nobody else's", arguments: [1, 2] as [UInt64])
    func hangingTarget(seed: UInt64) async throws {
        let scheduler = DeterministicScheduler(seed: seed)
        try await scheduler.runApart(limit: .seconds(24 * 3600)) {
            let cluster = try await SimulatedCluster(nodeCount: 4, configuration: Self.configuration(), scheduler: scheduler)
            guard let store = cluster.store else { throw Violation("no distributor") }
            let record = try await cluster.upload(seed, byteCount: 100 * 64 * 1024)
            try await cluster.wait(atMost: .seconds(60), until: "all copies are written") {
                try await store.clusterStatus().repairQueueLength == 0
            }
            let (hanging, other) = (cluster.nodes[0], cluster.nodes[1])
            let homes = Self.homes([record], store)
            hanging.setFaults(.init(disk: .hangs))
            try await Self.lose(homes.filter { $0.node == hanging.id || $0.node == other.id }, of: cluster)
            let wanted = Set(homes.filter { $0.node == other.id }.map(\.fragment))
            try await cluster.wait(atMost: .seconds(60), until: "seed \(seed): the other node has its fragments again") {
                try await cluster.inventory()[other.id]?.isSuperset(of: wanted) ?? false
            }
            hanging.setFaults(.none)
            try await cluster.wait(atMost: .seconds(600), until: "seed \(seed): the node whose disk hung has them too") {
                try await store.clusterStatus().repairQueueLength == 0
            }
            await cluster.stopDistributor()
        }
    }

    @Test("repairs keep to the rate of background movement, and to a sixteenth of it while clients are served", arguments: [false, true])
    func rate(isServing: Bool) async throws {
        let scheduler = DeterministicScheduler(seed: 7)
        try await scheduler.runApart(limit: .seconds(24 * 3600)) {
            var configuration = Self.configuration()
            // A fragment a second, to each node.
            configuration.rebalanceBytesPerSecond = configuration.chunkSize
            let cluster = try await SimulatedCluster(nodeCount: 3, configuration: configuration, scheduler: scheduler)
            guard let store = cluster.store else { throw Violation("no distributor") }
            let record = try await cluster.upload(1, byteCount: 20 * 64 * 1024)
            let lost = Self.homes([record], store).filter { $0.node == cluster.nodes[0].id }
            try await Self.lose(lost, of: cluster)
            let reader = Task {
                guard isServing else { return }
                // A client that takes its time.
                try await store.read(record, range: 0..<record.byteCount) { _ in try await scheduler.sleep(for: .seconds(3600)) }
            }
            try await cluster.wait(atMost: .seconds(1000), until: "all is restored") {
                try await store.clusterStatus().repairQueueLength == 0
            }
            reader.cancel()
            let times = cluster.journal.entries.filter { $0.node == cluster.nodes[0].id }.map(\.at)
            guard let first = times.first, let last = times.last, times.count == lost.count else {
                throw Violation("\(times.count) transfers for \(lost.count) fragments")
            }
            let expected = Double(lost.count - 1) * (isServing ? 16 : 1)
            #expect(last - first > .seconds(expected * 0.95) && last - first < .seconds(expected * 1.1 + 1), "\(last - first)")
            await cluster.stopDistributor()
        }
    }

    @Test(
        "when two of a chunk's three nodes are gone for good, it gets a copy before any chunk that has lost one",
        arguments: [1, 2, 3] as [UInt64])
    func lostNodes(seed: UInt64) async throws {
        let scheduler = DeterministicScheduler(seed: seed)
        try await scheduler.runApart(limit: .seconds(24 * 3600)) {
            var configuration = Self.configuration()
            configuration.nodeGrace = .seconds(10)
            let cluster = try await SimulatedCluster(nodeCount: 6, configuration: configuration, scheduler: scheduler)
            guard let store = cluster.store else { throw Violation("no distributor") }
            var records: [ObjectRecord] = []
            for number in 0..<8 { records.append(try await cluster.upload(seed &* 10 &+ UInt64(number), byteCount: 12 * 64 * 1024)) }
            try await cluster.wait(atMost: .seconds(60), until: "all copies are written") {
                try await store.clusterStatus().repairQueueLength == 0
            }
            let dead = Set(cluster.nodes.prefix(2).map(\.id))
            let homes = Dictionary(grouping: Self.homes(records, store), by: \.fragment.chunk)
            let lastCopies = Set(homes.filter { $0.value.count { dead.contains($0.node) } == 2 }.keys)
            guard lastCopies.count > 5 else { throw Violation("seed \(seed): \(lastCopies.count) chunks with one copy left prove nothing") }
            cluster.journal.clear()
            for node in cluster.nodes.prefix(2) { node.crash() }
            try await cluster.wait(atMost: .seconds(600), until: "seed \(seed): everything is restored") {
                let status = try await store.clusterStatus()
                return status.rebalance == nil && status.nodes.count { $0.state == .left } == 2
            }
            var waiting = lastCopies
            for entry in cluster.journal.entries where !waiting.isEmpty {
                if waiting.remove(entry.fragment.chunk) != nil || lastCopies.contains(entry.fragment.chunk) { continue }
                throw Violation("seed \(seed): \(entry.fragment) has two copies and is restored before \(waiting.count) chunks with one")
            }
            guard waiting.isEmpty else { throw Violation("seed \(seed): \(waiting.count) chunks were never restored") }
            for record in records { try await cluster.check(record) }
            await cluster.stopDistributor()
        }
    }

    @Test("a lost fragment of a code is computed from as many others as it takes, and none is read twice", arguments: [0, 3, 5])
    func fewestReads(number: Int) async throws {
        let scheduler = DeterministicScheduler(seed: UInt64(number) + 1)
        try await scheduler.runApart(limit: .seconds(24 * 3600)) {
            var configuration = Self.configuration()
            configuration.chunkSize = 1024 * 1024
            configuration.storageClass = StorageClass("ec-4-2")
            let cluster = try await SimulatedCluster(nodeCount: 7, configuration: configuration, scheduler: scheduler)
            guard let store = cluster.store else { throw Violation("no distributor") }
            let record = try await cluster.upload(1, byteCount: 1024 * 1024)
            try await cluster.wait(atMost: .seconds(60), until: "all is written") {
                try await store.clusterStatus().repairQueueLength == 0
            }
            let lost = Self.homes([record], store).filter { $0.fragment.number == UInt8(number) }
            let before = cluster.nodes.map(\.servedByteCount)
            try await Self.lose(lost, of: cluster)
            try await cluster.wait(atMost: .seconds(60), until: "it is restored") {
                try await store.clusterStatus().repairQueueLength == 0
            }
            let read = zip(cluster.nodes, before).map { $0.servedByteCount - $1 }
            #expect(read.sorted() == [0, 0, 0] + Array(repeating: 256 * 1024, count: 4))
            let held = try await cluster.inventory()
            #expect(lost.count == 1 && lost.allSatisfy { held[$0.node]?.contains($0.fragment) == true })
            await cluster.stopDistributor()
        }
    }

    @Test(
        "a chunk of two copies that has lost one is repaired before one of a code that lacks more and can lose more",
        arguments: [1, 2] as [UInt64])
    func classes(seed: UInt64) async throws {
        let scheduler = DeterministicScheduler(seed: seed)
        try await scheduler.runApart(limit: .seconds(24 * 3600)) {
            var configuration = Self.configuration()
            configuration.chunkSize = 1024 * 1024
            configuration.smallObjectLimit = 1000
            configuration.rebalanceBytesPerSecond = 1024 * 1024
            let cluster = try await SimulatedCluster(nodeCount: 6, configuration: configuration, scheduler: scheduler)
            guard let store = cluster.store else { throw Violation("no distributor") }
            var coded: [ObjectRecord] = []
            var copied: [ObjectRecord] = []
            for number in 0..<12 {
                coded.append(try await cluster.upload(seed &* 100 &+ UInt64(number), byteCount: 100_000, StorageClass("ec-2-3")))
                copied.append(try await cluster.upload(seed &* 100 &+ 50 &+ UInt64(number), byteCount: 100_000, .copies(2)))
            }
            try await cluster.wait(atMost: .seconds(60), until: "all is written") {
                try await store.clusterStatus().repairQueueLength == 0
            }
            try await store.setBackgroundPaused(true)
            // A node loses everything, another its part of the coded chunks.
            let (node, other) = (cluster.nodes[0].id, cluster.nodes[1].id)
            let codedHomes = Self.homes(coded, store)
            let copiedHomes = Self.homes(copied, store).filter { $0.node == node }
            for (home, victim) in zip([node, other], cluster.nodes) {
                try await victim.delete((codedHomes + copiedHomes).filter { $0.node == home }.map(\.fragment))
            }
            // The sweep of a fresh distributor finds it out.
            await cluster.stopDistributor()
            try await cluster.startDistributor()
            guard let store = cluster.store else { throw Violation("no distributor") }
            let expected = codedHomes.count { $0.node == node || $0.node == other } + copiedHomes.count
            try await cluster.wait(atMost: .seconds(600), until: "seed \(seed): all that is missing is queued") {
                try await store.clusterStatus().repairQueueLength == expected
            }
            cluster.journal.clear()
            try await store.setBackgroundPaused(false)
            try await cluster.wait(atMost: .seconds(600), until: "seed \(seed): all is restored") {
                try await store.clusterStatus().repairQueueLength == 0
            }
            let urgent = Set(copiedHomes.map(\.fragment))
            let order = cluster.journal.entries.filter { $0.node == node }.map { urgent.contains($0.fragment) }
            guard !urgent.isEmpty, let firstCoded = order.firstIndex(of: false), let lastCopied = order.lastIndex(of: true) else {
                throw Violation("seed \(seed): nothing to compare in \(order)")
            }
            // Those that began together may reach the node in any order, and each of a code calls twice: to fetch, and to compute.
            guard lastCopied < firstCoded + 2 * cluster.configuration.transfersPerNode else { throw Violation("seed \(seed): \(order)") }
            await cluster.stopDistributor()
        }
    }
}
