import Core
import ErasureCoding
import Foundation
import Metadata
import ObjectStore
import Testing

/// Metadata that are lost and made anew from what the nodes have.
@Suite("A rebuild of the metadata in a simulated cluster")
struct RebuildTests {
    private static func run(_ body: @escaping @Sendable (DeterministicScheduler) async throws -> Void) throws {
        try RebuildScene.run(body)
    }

    @Test("everything comes back without a snapshot: small, large, empty, in copies and coded", arguments: ["replicated", "ec-2-1"])
    func comesBack(storageClass: String) throws {
        try Self.run { scheduler in
            let scene = try await RebuildScene(scheduler, storageClass: StorageClass(storageClass))
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
            let scene = try await RebuildScene(scheduler)
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
            let scene = try await RebuildScene(scheduler)
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
            let scene = try await RebuildScene(scheduler)
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
