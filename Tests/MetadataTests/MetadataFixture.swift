import Core
import Foundation
import Logging
import Metadata

/// A place for databases, removed at the end.
final class TemporaryDirectory: Sendable {
    let path: String

    init() throws {
        path = FileManager.default.temporaryDirectory.appendingPathComponent("chunkflow-metadata-\(UUID().uuidString)").path
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    }

    var database: String { path + "/metadata.sqlite" }

    deinit { try? FileManager.default.removeItem(atPath: path) }
}

let quietLogger = Logger(label: "metadata", factory: { _ in SwiftLogNoOpLogHandler() })

func openStore(
    _ path: String? = nil, executor: any BlockingExecutor = InlineExecutor(), options: SQLiteMetadataStore.Options = .init()
) async throws -> SQLiteMetadataStore {
    try await SQLiteMetadataStore.open(path: path, executor: executor, logger: quietLogger, options: options)
}

func time(_ milliseconds: Int64) -> Timestamp { Timestamp(millisecondsSince1970: milliseconds) }

/// Names and records by number.
struct Fixture {
    let bucket: BucketRecord

    static func blobID(_ number: Int) -> BlobID { BlobID(uuid: UUIDv7(high: UInt64(number), low: 1)) }

    static func blob(_ number: Int, byteCount: Int64 = 100) -> BlobRecord {
        BlobRecord(
            id: blobID(number), byteCount: byteCount, chunkSize: 8_388_608, layoutVersion: 3, storageClass: "replicated-3")
    }

    static func node(_ number: Int) -> NodeID { NodeID(uuid: UUIDv7(high: 7, low: UInt64(number))) }

    static func repair(
        _ blob: Int, chunk: UInt32 = 0, node: Int = 1, reason: RepairRecord.Reason = .missed, tolerance: Int = 2,
        attempts: Int = 0, dueAt: Int64 = 0
    ) -> RepairRecord {
        RepairRecord(
            fragment: FragmentID(chunk: ChunkID(blob: blobID(blob), index: chunk)), node: self.node(node), layoutVersion: 3,
            reason: reason, tolerance: tolerance, attempts: attempts, dueAt: time(dueAt))
    }

    /// An object with a blob for each number.
    func object(_ key: String, version: Int, blobs: [Int], byteCount: Int64 = 100) -> ObjectRecord {
        ObjectRecord(
            bucket: bucket.id, key: key, version: VersionID(uuid: UUIDv7(high: UInt64(version), low: 2)),
            byteCount: byteCount * Int64(blobs.count), fileName: "name of \(key)", contentType: "text/plain", etag: "e\(version)",
            crc32c: UInt32(version), createdAt: time(Int64(version)), userMetadata: ["version": "\(version)"],
            blobs: blobs.map { Self.blob($0, byteCount: byteCount) })
    }
}

extension SQLiteMetadataStore {
    func fixture(_ name: String = "files") async throws -> Fixture { Fixture(bucket: try await ensureBucket(named: name, at: time(1))) }

    func garbageIDs() async throws -> [BlobID] { try await garbage(after: nil, limit: 10_000).map(\.blob.id) }
}
