internal import Core
internal import ErasureCoding
internal import Foundation
internal import Logging
internal import Metadata

/// Snapshots of the metadata, kept in the cluster itself as ordinary objects of an internal bucket: with them the metadata are
/// rebuilt when they are lost (docs/decisions/0014-rebuild.md).
extension ObjectStore {
    /// Before a snapshot that failed is tried again.
    private static let retryPause: Duration = .seconds(60)

    /// Makes a snapshot every `interval` in which something has changed, until the task is cancelled.
    func snapshotForever(every interval: Duration) async {
        // The first is due by the clock of the day, because it remembers what was before this process; it may have been set since.
        let overdue = time.now().millisecondsSince1970 - snapshots.dueSince.advanced(by: interval).millisecondsSince1970
        var pause = min(max(.zero, .milliseconds(-overdue)), interval)
        var saved: Int?
        while (try? await time.sleep(for: pause)) != nil {
            let changes = metadata.changeCount
            do {
                if changes == saved {
                    snapshots.noteCurrent(at: time.now())
                } else {
                    try await takeSnapshot()
                    saved = changes
                }
                pause = interval
            } catch is CancellationError {
                return
            } catch {
                logger.warning("no snapshot of the metadata was made", metadata: ["error": "\(error)"])
                pause = min(interval, Self.retryPause)
            }
        }
    }

    /// Stores all metadata, as they are at one moment, and deletes the snapshots that are too many.
    /// - Throws: ``StoreError``, ``MetadataError``, what the disk under the directory says, `CancellationError`.
    package func takeSnapshot() async throws {
        // The snapshot has what was committed before it was begun, and perhaps more.
        let now = time.now()
        let version = freshVersion(at: now)
        let (directory, path) = (configuration.snapshotDirectory, "\(configuration.snapshotDirectory)/snapshot-\(version).sqlite")
        try await digestExecutor.run { try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true) }
        try await metadata.backup(to: path)
        let body = try await SnapshotBody(takingOver: path, executor: digestExecutor)
        let object = try await write(
            ObjectName(bucket: snapshots.bucket, key: version.description, version: version),
            description: UploadDescription(contentType: "application/vnd.sqlite3", storageClass: .replicated), body: body, createdAt: now)
        snapshots.noteCurrent(at: now)
        logger.info("snapshot of the metadata stored", metadata: ["snapshot": "\(object.key)", "bytes": "\(object.byteCount)"])
        try await deleteOldSnapshots()
    }

    private func deleteOldSnapshots() async throws {
        // Their names begin with their time.
        let all = try await metadata.objects(in: snapshots.bucket.id, after: nil, limit: MetadataSnapshots.listingLimit)
        for old in all.dropLast(configuration.snapshotsKept) {
            _ = try await metadata.deleteObject(in: snapshots.bucket.id, key: old.key, at: time.now())
        }
        garbageAdded.raise()
    }
}
