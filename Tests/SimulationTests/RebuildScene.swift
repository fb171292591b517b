import Core
import ErasureCoding
import Foundation
import Metadata
import NIOCore
import ObjectStore
import Synchronization

/// A cluster, and the directories that it and the rebuild work in.
struct RebuildScene {
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

    // MARK: Objects in buckets

    func bucket(_ name: String, _ versioning: Versioning = .off, storageClass: String? = nil) async throws -> BucketRecord {
        let made = try await cluster.metadata.createBucket(
            named: name, owner: "anna", isLocking: false, documents: [:], at: scheduler.now())
        if versioning != .off { try await cluster.metadata.setVersioning(versioning, of: made.id) }
        return made
    }

    private func body(_ seed: UInt64, _ byteCount: Int) -> SimulatedBody {
        SimulatedBody(file: SimulatedFile(seed: seed, byteCount: byteCount), breaksAt: nil, scheduler: scheduler)
    }

    /// - Parameter store: nil for the distributor's.
    func put(
        _ key: String, in bucket: BucketRecord, seed: UInt64, byteCount: Int = 200_000, by store: ObjectStore? = nil,
        _ change: (inout ObjectAttributes) -> Void = { _ in }
    ) async throws -> ObjectRecord {
        var attributes = ObjectAttributes()
        change(&attributes)
        let description = ObjectDescription(
            bucket: bucket, key: key, contentType: "text/\(seed)", userMetadata: ["seed": "\(seed)"], attributes: attributes)
        let (_, committed) = try await (store ?? self.store).put(description, algorithms: [], body: body(seed, byteCount)) {
            AcceptedContent($0, checksum: nil)
        }
        guard let object = try await version(committed.version, of: key, in: bucket.name) else { throw Violation("\(key) is not there") }
        return object
    }

    func putPart(_ number: Int, of upload: UploadRecord, in bucket: BucketRecord, seed: UInt64, byteCount: Int) async throws -> PartRecord {
        try await store.putPart(number, of: upload, in: bucket, algorithms: [], body: body(seed, byteCount)) {
            AcceptedContent($0, checksum: nil)
        }
    }

    func deleteForGood(_ object: ObjectRecord) async throws {
        try await delete(version: object)
        try await waitUntilGone(object)
    }

    /// Makes a version garbage, and has the collector know.
    func delete(version object: ObjectRecord) async throws {
        _ = try await cluster.metadata.delete(
            .named(object.version), of: object.key, in: object.bucket, marker: object.version, owner: nil, condition: .none,
            bypassingGovernance: false, at: scheduler.now())
        try store.noteGarbage()
    }

    func version(_ version: VersionID, of key: String, in bucket: String) async throws -> ObjectRecord? {
        guard let bucket = try await cluster.metadata.bucket(named: bucket),
            case .object(let object)? = try await cluster.metadata.version(.named(version), of: key, in: bucket.id)
        else { return nil }
        return object
    }

    /// The versions of a key, the latest first; nil for delete markers.
    func versions(of key: String, in bucket: String) async throws -> [VersionID?] {
        guard let bucket = try await cluster.metadata.bucket(named: bucket) else { return [] }
        let page = try await cluster.metadata.listVersions(ListRequest(prefix: key, limit: 100), after: nil, in: bucket.id)
        return page.elements.map { if case .object(let object) = $0.version { object.version } else { nil } }
    }

    /// Whether all of an object can be read, and is the file of a seed.
    func holds(_ object: ObjectRecord, seed: UInt64) async throws -> Bool {
        let bytes = Collected()
        try await store.read(object, range: 0..<object.byteCount) { bytes.append($0) }
        let byteCount = Int(object.byteCount)
        return Array(bytes.buffer.readableBytesView) == SimulatedFile(seed: seed, byteCount: byteCount).bytes(0..<byteCount)
    }

    func garbageCount() async throws -> Int { try await cluster.metadata.garbage(after: nil, limit: 100).count }

    /// In a cluster's day.
    static func run(_ body: @escaping @Sendable (DeterministicScheduler) async throws -> Void) throws {
        let scheduler = DeterministicScheduler(seed: 17)
        try scheduler.run(limit: .seconds(24 * 3600)) { try await body(scheduler) }
    }
}

/// Bytes as they come.
private final class Collected: Sendable {
    private let state = Mutex(ByteBuffer())

    var buffer: ByteBuffer { state.withLock { $0 } }
    func append(_ bytes: ByteBuffer) { state.withLock { _ = $0.writeImmutableBuffer(bytes) } }
}
