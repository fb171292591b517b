import Core
import ErasureCoding
import Foundation
import Metadata
import NIOCore
import ObjectStore
import Synchronization
import Testing

/// Metadata that are lost and made anew from what the nodes have.
@Suite("A rebuild of the metadata in a simulated cluster")
struct RebuildTests {
    /// A cluster, and the directories that it and the rebuild work in.
    private struct Scene {
        let scheduler: DeterministicScheduler
        let cluster: SimulatedCluster
        let snapshots: ScratchDirectory
        let work: ScratchDirectory

        init(_ scheduler: DeterministicScheduler, nodeCount: Int = 4, storageClass: StorageClass? = .replicated) async throws {
            self.scheduler = scheduler
            snapshots = try ScratchDirectory()
            work = try ScratchDirectory()
            var configuration = StoreConfiguration()
            configuration.chunkSize = 128 * 1024
            configuration.pieceSize = 64 * 1024
            configuration.storageClass = storageClass
            configuration.smallObjectLimit = 1000
            configuration.snapshotDirectory = snapshots.path
            cluster = try await SimulatedCluster(nodeCount: nodeCount, configuration: configuration, scheduler: scheduler)
        }

        var store: ObjectStore {
            get throws {
                guard let store = cluster.store else { throw Violation("no distributor") }
                return store
            }
        }

        func upload(_ name: String, byteCount: Int, breaksAt: Int? = nil) async throws -> ObjectRecord {
            let body = SimulatedBody(
                file: SimulatedFile(seed: UInt64(byteCount), byteCount: byteCount), breaksAt: breaksAt, scheduler: scheduler)
            return try await store.upload(UploadDescription(fileName: name, contentType: "text/\(name)"), body: body)
        }

        /// Uploads until chance has, or has not, given a copy to a node.
        func upload(_ name: String, byteCount: Int, on node: SimulatedNode, isThere: Bool) async throws -> ObjectRecord {
            while true {
                let object = try await upload(name, byteCount: byteCount)
                let chunk = ChunkID(blob: object.blobs[0].id, index: 0)
                let homes = try store.expectedNodes(of: chunk, in: object.blobs[0]).map(\.node)
                if homes.contains(node.id) == isThere { return object }
                try await delete(object)
            }
        }

        func delete(_ object: ObjectRecord) async throws {
            guard let id = FileID(object.key), try await store.deleteFile(id) else { throw Violation("\(object.key) was not deleted") }
        }

        /// Waits until nothing is left of a blob on the nodes that answer.
        func waitUntilGone(_ object: ObjectRecord) async throws {
            let deadline = scheduler.monotonicNow() + .seconds(3600)
            while true {
                let inventory = try await cluster.inventory(of: cluster.nodes.filter(\.isUp))
                let blobs = Set(inventory.values.joined().map(\.chunk.blob))
                if object.blobs.allSatisfy({ !blobs.contains($0.id) }) { return }
                guard scheduler.monotonicNow() < deadline else { throw Violation("\(object.key) is never collected") }
                try await scheduler.sleep(for: .seconds(1))
            }
        }

        /// The names of the files in a bucket, sorted.
        func names(in bucket: String = ObjectStore.fileBucketName) async throws -> [String] {
            guard let bucket = try await cluster.metadata.bucket(named: bucket) else { return [] }
            return try await cluster.metadata.objects(in: bucket.id, after: nil, limit: 1000).compactMap(\.fileName).sorted()
        }

        func rebuild(_ options: MetadataRebuild.Options = .init()) async throws -> RebuildReport {
            await cluster.stopDistributor()
            return try await cluster.rebuildMetadata(options: options, directory: work)
        }

        func read(_ object: ObjectRecord) async throws -> Int64 {
            var digest = ContentDigest()
            let bytes = Collected()
            let record = try await store.file(FileID(object.key)!)
            guard let record else { throw Violation("\(object.key) is not there") }
            try await store.read(record, range: 0..<record.byteCount) { bytes.append($0) }
            digest.update(bytes.buffer)
            guard hexadecimal(digest.md5Bytes()) == object.etag, record.contentType == object.contentType, record.etag == object.etag else {
                throw Violation("\(object.key) is not what it was")
            }
            return digest.byteCount
        }
    }

    private static func run(_ body: @escaping @Sendable (DeterministicScheduler) async throws -> Void) throws {
        let scheduler = DeterministicScheduler(seed: 17)
        try scheduler.run(limit: .seconds(24 * 3600)) { try await body(scheduler) }
    }

    @Test("everything comes back without a snapshot: small, large, empty, in copies and coded", arguments: ["replicated", "ec-2-1"])
    func comesBack(storageClass: String) throws {
        try Self.run { scheduler in
            let scene = try await Scene(scheduler, storageClass: StorageClass(storageClass))
            var objects: [ObjectRecord] = []
            // Whole chunks, a byte more, a byte less: where a chunk ends and whether it is the last is all that tells.
            for size in [0, 1, 1_001, 131_071, 131_072, 131_073, 262_144, 700_000] {
                objects.append(try await scene.upload("f\(size)", byteCount: size))
            }
            let report = try await scene.rebuild()
            #expect(report[.recovered] == objects.count)
            #expect(report.entries.isEmpty, "\(report.entries)")
            #expect(report.snapshot == nil)
            #expect(try await scene.cluster.metadata.totals().byteCount == objects.reduce(0) { $0 + $1.byteCount })
            try await scene.cluster.startDistributor()
            for object in objects { #expect(try await scene.read(object) == object.byteCount) }
            await scene.cluster.stopDistributor()
        }
    }

    @Test("a snapshot decides over what is older: what was deleted before it stays deleted, what came later is added")
    func snapshotDecides() throws {
        try Self.run { scheduler in
            let scene = try await Scene(scheduler)
            // It keeps its copies of what is deleted while it is away.
            let away = scene.cluster.nodes[0]
            let kept = try await scene.upload("kept", byteCount: 200_000)
            let early = try await scene.upload("early", byteCount: 300, on: away, isThere: true)
            let late = try await scene.upload("late", byteCount: 5, on: away, isThere: false)
            away.crash()
            try await scheduler.sleep(for: .seconds(10))
            try await scene.delete(early)
            try await scene.waitUntilGone(early)
            try await scheduler.sleep(for: .seconds(3600))
            try await scene.store.takeSnapshot()
            try await scene.delete(late)
            try await scene.waitUntilGone(late)
            let young = try await scene.upload("young", byteCount: 0)
            await scene.cluster.stopDistributor()
            try await away.start()

            let report = try await scene.rebuild()
            #expect(try await scene.names() == ["kept", "young"])
            #expect(report.snapshot?.objectCount == 2)
            for finding in [RebuildReport.Finding.known, .recovered, .gone] { #expect(report[finding] == 1) }
            #expect(report[.doubtful] == 0)
            #expect(report.entries.contains { $0.finding == .gone && $0.key == late.key })
            try await scene.cluster.startDistributor()
            #expect(try await scene.read(kept) == 200_000)
            #expect(try await scene.read(young) == 0)
            let status = try await scene.store.clusterStatus()
            #expect([status.objectCount, status.byteCount] == [2, 200_000])
            await scene.cluster.stopDistributor()
        }
    }

    @Test("a whole blob with fewer copies than were acknowledged may have been deleted: it is kept apart, or put back by order")
    func doubtful() throws {
        try Self.run { scheduler in
            let scene = try await Scene(scheduler)
            let file = try await scene.upload("file", byteCount: 100)
            let homes = try scene.store.expectedNodes(of: ChunkID(blob: file.blobs[0].id, index: 0), in: file.blobs[0]).map(\.node)
            let away = try #require(scene.cluster.nodes.first { homes.contains($0.id) })
            away.crash()
            try await scheduler.sleep(for: .seconds(10))
            try await scene.delete(file)
            try await scene.waitUntilGone(file)
            await scene.cluster.stopDistributor()
            try await away.start()

            let report = try await scene.rebuild()
            #expect(report[.doubtful] == 1)
            #expect(try await scene.names() == [])
            #expect(try await scene.names(in: MetadataRebuild.doubtfulBucketName) == ["file"])
            var options = MetadataRebuild.Options()
            options.restoresDoubtful = true
            let other = try ScratchDirectory()
            _ = try await scene.cluster.rebuildMetadata(options: options, directory: other)
            #expect(try await scene.names() == ["file"])
        }
    }

    @Test("an upload that was broken off in the middle does not become a file")
    func unfinished() throws {
        try Self.run { scheduler in
            let scene = try await Scene(scheduler)
            let store = try scene.store
            // Nobody collects what it leaves.
            await scene.cluster.stopDistributor()
            let body = SimulatedBody(file: SimulatedFile(seed: 3, byteCount: 700_000), breaksAt: 400_000, scheduler: scheduler)
            await #expect(throws: SimulatedBody.HungUp.self) { try await store.upload(UploadDescription(fileName: "half"), body: body) }
            let report = try await scene.rebuild()
            #expect(report[.unfinished] == 1)
            #expect(try await scene.names() == [])
        }
    }

    @Test("snapshots are made when something has changed, the newest are kept, and nobody sees them among the files")
    func snapshotsByThemselves() throws {
        try Self.run { scheduler in
            let snapshots = try ScratchDirectory()
            var configuration = StoreConfiguration()
            configuration.snapshotDirectory = snapshots.path
            configuration.snapshotInterval = .seconds(600)
            configuration.snapshotsKept = 2
            let cluster = try await SimulatedCluster(nodeCount: 3, configuration: configuration, scheduler: scheduler)
            func keys() async throws -> [String] {
                let bucket = try #require(try await cluster.metadata.bucket(named: ".metadata"))
                return try await cluster.metadata.objects(in: bucket.id, after: nil, limit: 100).map(\.key)
            }
            guard let store = cluster.store else { throw Violation("no distributor") }
            #expect(try await store.clusterStatus().metadataSnapshotAt == nil)
            var seen: Set<String> = []
            for number in 0..<4 {
                let body = SimulatedBody(file: SimulatedFile(seed: 1, byteCount: 10), breaksAt: nil, scheduler: scheduler)
                _ = try await store.upload(UploadDescription(fileName: "\(number)"), body: body)
                try await scheduler.sleep(for: .seconds(660))
                let now = try await keys()
                #expect(now.count == min(2, number + 1))
                seen.formUnion(now)
            }
            #expect(seen.count == 4)
            // Nothing changes: the newest is as good as a new one.
            try await scheduler.sleep(for: .seconds(3000))
            #expect(Set(try await keys()).isSubset(of: seen))
            let status = try await store.clusterStatus()
            let snapshotAt = try #require(status.metadataSnapshotAt)
            #expect(scheduler.now().millisecondsSince1970 - snapshotAt.millisecondsSince1970 < 700_000)
            #expect([status.objectCount, status.byteCount] == [4, 40])
            #expect(try await store.files(after: nil, limit: 100).count == 4)
            #expect(try FileManager.default.contentsOfDirectory(atPath: snapshots.path).isEmpty)
            await cluster.stopDistributor()
        }
    }
}

/// Bytes as they come.
private final class Collected: Sendable {
    private let state = Mutex(ByteBuffer())

    var buffer: ByteBuffer { state.withLock { $0 } }
    func append(_ bytes: ByteBuffer) { state.withLock { _ = $0.writeImmutableBuffer(bytes) } }
}
