import ChunkTransport
import Core
import ErasureCoding
import Metadata
import NIOCore
import ObjectStore
import Synchronization
import Testing

/// Buckets that get another storage class, while nodes and distributors come and go.
@Suite("A bucket's storage class in a simulated cluster")
struct ReencodingTests {
    private static let sizes = [500, 1_000, 70_000, 300_000, 1_048_576, 1_300_000, 2_500_000]
    private static let small = 1_000

    private static func configuration() -> StoreConfiguration {
        var configuration = StoreConfiguration()
        configuration.chunkSize = 1024 * 1024
        configuration.pieceSize = 64 * 1024
        configuration.smallObjectLimit = small
        configuration.replicas = 2
        configuration.storageClass = .replicated
        configuration.orphanGrace = .seconds(600)
        configuration.sweepInterval = .seconds(900)
        return configuration
    }

    private static func storageClass(_ text: String) throws -> StorageClass {
        guard let storageClass = StorageClass(text) else { throw Violation("no storage class: \(text)") }
        return storageClass
    }

    private static func upload(
        _ file: SimulatedFile, to cluster: SimulatedCluster, as storageClass: StorageClass? = nil
    ) async throws -> ObjectRecord {
        guard let store = cluster.store else { throw Violation("no distributor") }
        return try await store.upload(
            UploadDescription(fileName: "\(file.seed)", storageClass: storageClass),
            body: SimulatedBody(file: file, breaksAt: nil, scheduler: cluster.scheduler))
    }

    private static func bytes(of record: ObjectRecord, _ store: ObjectStore) async throws -> [UInt8] {
        let received = Mutex<[UInt8]>([])
        try await store.read(record, range: 0..<record.byteCount) { bytes in received.withLock { $0 += bytes.readableBytesView } }
        return received.withLock { $0 }
    }

    @Test("an upload is stored as it asks, else as its bucket wants, else as the cluster does")
    func precedence() throws {
        let scheduler = DeterministicScheduler(seed: 1)
        try scheduler.run(limit: .seconds(3600)) {
            let cluster = try await SimulatedCluster(nodeCount: 5, configuration: Self.configuration(), scheduler: scheduler)
            guard let store = cluster.store else { throw Violation("no distributor") }
            func uploaded(_ size: Int, as storageClass: StorageClass? = nil) async throws -> String? {
                try await Self.upload(SimulatedFile(seed: 1, byteCount: size), to: cluster, as: storageClass).blobs.first?.storageClass
            }
            #expect(try await uploaded(300_000) == "replicated")
            let status = try await store.setStorageClass(Self.storageClass("ec-3-2"), ofBucket: "files", reencode: false)
            #expect(try status.storageClass == Self.storageClass("ec-3-2") && status.reencoding == nil)
            #expect(try await uploaded(300_000) == "ec-3-2")
            #expect(try await uploaded(500) == "replicated-3")
            #expect(try await uploaded(300_000, as: .copies(4)) == "replicated-4")
            #expect(try await uploaded(300_000, as: .replicated) == "replicated")
            // What was there is left alone.
            try await scheduler.sleep(for: .seconds(60))
            #expect(try await store.files(after: nil, limit: 9).first?.blobs.first?.storageClass == "replicated")
            #expect(try await store.buckets(after: nil, limit: 9) == [status])
            _ = try await store.setStorageClass(nil, ofBucket: "files", reencode: false)
            #expect(try await uploaded(300_000) == "replicated")
            await cluster.stopDistributor()
        }
    }

    @Test("a class that needs more nodes than there are, and a bucket that is not there, are refused")
    func refused() throws {
        let scheduler = DeterministicScheduler(seed: 1)
        try scheduler.run(limit: .seconds(3600)) {
            let cluster = try await SimulatedCluster(nodeCount: 5, configuration: Self.configuration(), scheduler: scheduler)
            guard let store = cluster.store else { throw Violation("no distributor") }
            await #expect(throws: AdministrationError.invalid(detail: "ec-4-2 needs 6 nodes, and there are 5")) {
                _ = try await store.setStorageClass(Self.storageClass("ec-4-2"), ofBucket: "files", reencode: true)
            }
            await #expect(throws: AdministrationError.unknownBucket("elsewhere")) {
                _ = try await store.setStorageClass(nil, ofBucket: "elsewhere", reencode: true)
            }
            await cluster.stopDistributor()
        }
    }

    @Test(
        "what is there is brought to the class, byte for byte, whoever crashes and whatever is deleted meanwhile, and nothing else is left",
        arguments: 1...12 as ClosedRange<UInt64>)
    func reencoded(seed: UInt64) throws {
        let scheduler = DeterministicScheduler(seed: seed)
        try scheduler.run(limit: .seconds(24 * 3600)) {
            var configuration = Self.configuration()
            // Slow enough for things to happen in between.
            configuration.rebalanceBytesPerSecond = 4 * 1024 * 1024 / 5
            let cluster = try await SimulatedCluster(nodeCount: 6, configuration: configuration, scheduler: scheduler)
            var files: [String: [UInt8]] = [:]
            var records: [ObjectRecord] = []
            for (number, size) in (Self.sizes + Self.sizes).enumerated() {
                let file = SimulatedFile(seed: seed &* 100 &+ UInt64(number), byteCount: size)
                let record = try await Self.upload(file, to: cluster)
                records.append(record)
                files[record.key] = file.bytes(0..<size)
            }
            // As a multipart upload and a server-side copy would leave them: of several blobs, which others refer to too.
            for parts in [[records[4], records[5], records[4]], [records[6]]] {
                let key = FileID(time: scheduler.now(), random: scheduler.random).description
                try await cluster.metadata.commit(
                    ObjectRecord(
                        bucket: records[0].bucket, key: key, version: VersionID(time: scheduler.now(), random: scheduler.random),
                        byteCount: parts.reduce(0) { $0 + $1.byteCount }, fileName: nil, contentType: "a/b", etag: "e", crc32c: nil,
                        createdAt: scheduler.now(), userMetadata: [:], blobs: parts.flatMap(\.blobs)),
                    repairs: [])
                files[key] = parts.flatMap { files[$0.key] ?? [] }
            }
            let before = try await cluster.store?.files(after: nil, limit: 100) ?? []
            _ = try await cluster.store?.setStorageClass(Self.storageClass("ec-3-2"), ofBucket: "files", reencode: true)

            for _ in 0..<4 {
                try await scheduler.sleep(for: .milliseconds(scheduler.random.next(in: 0..<2_000)))
                switch scheduler.random.next(in: 0..<3) {
                case 0:
                    let node = cluster.nodes[scheduler.random.next(in: 0..<cluster.nodes.count)]
                    node.crash()
                    try await scheduler.sleep(for: .milliseconds(scheduler.random.next(in: 0..<5_000)))
                    try await node.start()
                case 1:
                    await cluster.stopDistributor()
                    try await scheduler.sleep(for: .milliseconds(scheduler.random.next(in: 0..<1_000)))
                    try await cluster.startDistributor()
                default:
                    let victim = records[scheduler.random.next(in: 0..<records.count)]
                    if let id = FileID(victim.key), try await cluster.store?.deleteFile(id) == true { files[victim.key] = nil }
                }
            }
            try await Self.wait(for: cluster, seed: seed)
            try await Self.check(cluster, files, before, seed: seed)
            await cluster.stopDistributor()
        }
    }

    /// Until everything is done that is to be done.
    private static func wait(for cluster: SimulatedCluster, seed: UInt64) async throws {
        let deadline = cluster.scheduler.monotonicNow() + .seconds(4 * 3600)
        while true {
            try await cluster.scheduler.sleep(for: .seconds(30))
            guard let store = cluster.store else { throw Violation("no distributor") }
            let status = try await store.clusterStatus()
            let isIdle = status.reencodings.isEmpty && status.repairQueueLength == 0 && status.rebalance == nil
            if isIdle, try await cluster.metadata.garbage(after: nil, limit: 1).isEmpty, try await surplus(cluster, store).isEmpty {
                return
            }
            guard cluster.scheduler.monotonicNow() < deadline else {
                throw Violation("seed \(seed): not done: \(status.reencodings), \(status.repairQueueLength) repairs")
            }
        }
    }

    private static func expected(_ store: ObjectStore) async throws -> [NodeID: Set<FragmentID>] {
        var expected: [NodeID: Set<FragmentID>] = [:]
        for blob in try await store.files(after: nil, limit: 100).flatMap(\.blobs) {
            for index in 0..<UInt32(blob.chunkCount) {
                for home in store.expectedNodes(of: ChunkID(blob: blob.id, index: index), in: blob) {
                    expected[home.node, default: []].insert(home.fragment)
                }
            }
        }
        return expected
    }

    private static func surplus(_ cluster: SimulatedCluster, _ store: ObjectStore) async throws -> Set<FragmentID> {
        let expected = try await expected(store)
        return try await cluster.inventory().reduce(into: []) { $0.formUnion($1.value.subtracting(expected[$1.key] ?? [])) }
    }

    private static func check(
        _ cluster: SimulatedCluster, _ files: [String: [UInt8]], _ before: [ObjectRecord], seed: UInt64
    ) async throws {
        guard let store = cluster.store else { throw Violation("no distributor") }
        let after = try await store.files(after: nil, limit: 100)
        guard after.map(\.key) == files.keys.sorted() else { throw Violation("seed \(seed): other files than before") }
        for record in after {
            for blob in record.blobs {
                let wanted = blob.byteCount <= small ? "replicated-3" : "ec-3-2"
                guard blob.storageClass == wanted else {
                    throw Violation("seed \(seed): \(blob.byteCount) bytes are stored as \(blob.storageClass)")
                }
            }
            guard try await bytes(of: record, store) == files[record.key] else { throw Violation("seed \(seed): wrong bytes") }
            guard let old = before.first(where: { $0.key == record.key }), record.isSameVersion(as: old) else {
                throw Violation("seed \(seed): \(record) is not what it was")
            }
        }
        // A blob that several share is shared still.
        let shared = { (records: [ObjectRecord]) in
            Set(records.filter { files[$0.key] != nil }.flatMap(\.blobs).map(\.id)).count
        }
        guard shared(after) == shared(before) else {
            throw Violation("seed \(seed): \(shared(after)) blobs where there were \(shared(before))")
        }
        let (inventory, expected) = (try await cluster.inventory(), try await expected(store))
        for (node, fragments) in expected where !fragments.isSubset(of: inventory[node] ?? []) {
            throw Violation("seed \(seed): fragments are missing on \(node)")
        }
    }

    @Test("a pause stops it in the middle of an object, and it goes on after that, and a status tells how far it is")
    func paused() throws {
        let scheduler = DeterministicScheduler(seed: 3)
        try scheduler.run(limit: .seconds(24 * 3600)) {
            var configuration = Self.configuration()
            // Each of the five nodes gets a third of every object.
            configuration.rebalanceBytesPerSecond = 1024 * 1024 / 5
            let cluster = try await SimulatedCluster(nodeCount: 5, configuration: configuration, scheduler: scheduler)
            guard let store = cluster.store else { throw Violation("no distributor") }
            for seed in 0..<4 { _ = try await Self.upload(SimulatedFile(seed: UInt64(seed), byteCount: 3_000_000), to: cluster) }
            _ = try await store.setStorageClass(Self.storageClass("ec-3-2"), ofBucket: "files", reencode: true)
            try await scheduler.sleep(for: .seconds(8))
            let under = try #require(try await store.clusterStatus().reencodings.first)
            #expect(under.bucket == "files" && under.storageClass.description == "ec-3-2" && under.objectCount == 4)
            #expect(under.reencodedCount == 1 && under.examinedCount == 1 && under.reencodedBytes == 3_000_000, "\(under)")
            #expect(under.bytesPerSecond > 300_000 && under.bytesPerSecond < 800_000, "\(under)")
            try await store.setBackgroundPaused(true)
            try await scheduler.sleep(for: .seconds(600))
            let still = try #require(try await store.clusterStatus().reencodings.first)
            #expect(still.reencodedCount == 1 && still.failedCount == 0 && still.bytesPerSecond == 0, "\(still)")
            #expect(try await cluster.metadata.garbage(after: nil, limit: 9).isEmpty, "what was begun is given up")
            try await store.setBackgroundPaused(false)
            try await scheduler.sleep(for: .seconds(120))
            #expect(try await store.clusterStatus().reencodings.isEmpty)
            #expect(try await store.files(after: nil, limit: 9).flatMap(\.blobs).allSatisfy { $0.storageClass == "ec-3-2" })
            await cluster.stopDistributor()
        }
    }
}

extension ObjectRecord {
    /// All but where its bytes are.
    fileprivate func isSameVersion(as other: ObjectRecord) -> Bool {
        let same = ObjectRecord(
            bucket: other.bucket, key: other.key, version: other.version, byteCount: other.byteCount, fileName: other.fileName,
            contentType: other.contentType, etag: other.etag, crc32c: other.crc32c, createdAt: other.createdAt,
            userMetadata: other.userMetadata, blobs: blobs)
        return same == self
    }
}
