internal import Core
internal import Metadata
import Synchronization

/// The snapshots of the metadata that are kept in the cluster: where, and how new the newest is. Safe to use from any thread.
final class MetadataSnapshots: Sendable {
    static let bucketName = ".metadata"
    /// More than are ever kept.
    static let listingLimit = 1_000

    let bucket: BucketRecord
    /// When the newest was made, or, without one, when the first could have been: a process that restarts often makes them in time.
    let dueSince: Timestamp
    private let current: Mutex<Timestamp?>

    /// - Throws: ``MetadataError``
    init(_ metadata: any MetadataStore, at now: Timestamp) async throws {
        bucket = try await metadata.ensureBucket(named: Self.bucketName, at: now)
        let newest = try await metadata.objects(in: bucket.id, after: nil, limit: Self.listingLimit).last?.createdAt
        current = Mutex(newest)
        dueSince = newest ?? bucket.createdAt
    }

    /// Until when the newest snapshot has everything; nil when there is none.
    var currentAt: Timestamp? { current.withLock { $0 } }

    func noteCurrent(at time: Timestamp) { current.withLock { $0 = time } }
}
