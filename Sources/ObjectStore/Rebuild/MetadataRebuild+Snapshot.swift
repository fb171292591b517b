internal import ChunkTransport
internal import Core
internal import Foundation
internal import Logging
internal import Metadata
internal import NIOCore
import Synchronization

/// Finding and reading the newest snapshot of the metadata that the nodes keep.
extension MetadataRebuild {
    private static let batchSize = 256

    struct FoundSnapshot: Sendable {
        let metadata: SQLiteMetadataStore
        let description: RebuildReport.Snapshot
    }

    /// The newest that can be read, open; nil when there is none. Looks at the youngest blobs first, so not at many.
    func newestSnapshot(in survey: Survey) async throws -> FoundSnapshot? {
        var position: BlobID?
        while true {
            let blobs = survey.census.blobs(before: position, limit: Self.batchSize)
            guard let last = blobs.last else { return nil }
            position = last.id
            let descriptors = try await mapping(blobs) { try await self.descriptor(of: 0, in: $0, survey) }
            for (blob, first) in zip(blobs, descriptors) where first?.object?.bucket == MetadataSnapshots.bucketName {
                guard let whole = try await descriptor(of: blob, survey), let object = RecoveredObject(blob, whole, newestLayout: 1),
                    case .readable = blob.survival(as: object.blob)
                else { continue }
                if let snapshot = try await read(object, survey) { return snapshot }
                logger.warning("a snapshot of the metadata cannot be used: an older one is looked for", metadata: ["blob": "\(blob.id)"])
            }
        }
    }

    /// - Returns: nil when it cannot be read, or is not what was stored.
    private func read(_ object: RecoveredObject, _ survey: Survey) async throws -> FoundSnapshot? {
        let path = "\(directory)/snapshot-\(object.version).sqlite"
        let store = try await reader(survey)
        let record = object.record(in: store.fileBucket.id)
        do {
            let target = try await executor.run { try SnapshotTarget(path: path) }
            try await store.read(record, range: 0..<record.byteCount) { bytes in try await executor.run { try target.write(bytes) } }
            guard target.etag == record.etag else { return nil }
        } catch let error as StoreError {
            logger.warning("a snapshot of the metadata cannot be read", metadata: ["error": "\(error)"])
            return nil
        }
        let metadata: SQLiteMetadataStore
        do {
            metadata = try await open(path)
        } catch MetadataError.damaged(let detail) {
            logger.warning("a snapshot of the metadata is damaged", metadata: ["error": "\(detail)"])
            return nil
        }
        guard try await metadata.clusterID(orElse: survey.cluster) == survey.cluster else {
            await metadata.close()
            return nil
        }
        return FoundSnapshot(
            metadata: metadata,
            description: RebuildReport.Snapshot(
                name: object.key, createdAt: object.createdAt, objectCount: try await metadata.totals().objectCount))
    }

    /// A store that can read from the nodes, and knows nothing of what is on them.
    private func reader(_ survey: Survey) async throws -> ObjectStore {
        let metadata = try await SQLiteMetadataStore.open(path: nil, executor: executor, logger: logger)
        _ = try await metadata.clusterID(orElse: survey.cluster)
        let bootstrap = ClusterBootstrap(
            configuration: StoreConfiguration(), metadata: metadata, time: time, random: random, logger: logger,
            connect: { [seeds] address in
                guard let seed = seeds.first(where: { $0.address == address }) else {
                    throw RebuildError.notReady(address: address, detail: "it was not named")
                }
                return seed.transport
            })
        let cluster = try await bootstrap.run(seeds: seeds, patience: .zero)
        return try await ObjectStore(
            configuration: StoreConfiguration(), cluster: cluster, metadata: metadata, time: time, random: random, digestExecutor: executor,
            logger: logger)
    }
}

/// The file that a snapshot is read into. Safe to use from any thread; everything blocks.
private final class SnapshotTarget: Sendable {
    private let path: String
    private let descriptor: Int32
    private let digest = Mutex(ContentDigest())

    init(path: String) throws {
        self.path = path
        descriptor = Foundation.open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw Self.failure("cannot be made", path) }
    }

    deinit { if descriptor >= 0 { close(descriptor) } }

    /// Of what was written, as an object's.
    var etag: String { digest.withLock { hexadecimal($0.md5Bytes()) } }

    func write(_ bytes: ByteBuffer) throws {
        digest.withLock { $0.update(bytes) }
        try bytes.withUnsafeReadableBytes { bytes in
            var done = 0
            while done < bytes.count {
                let count = Foundation.write(descriptor, bytes.baseAddress! + done, bytes.count - done)
                if count < 0, errno == EINTR { continue }
                guard count > 0 else { throw Self.failure("cannot be written", path) }
                done += count
            }
        }
    }

    private static func failure(_ what: String, _ path: String) -> RebuildError {
        .fileFailure(detail: "\(path) \(what): \(String(cString: strerror(errno)))")
    }
}
