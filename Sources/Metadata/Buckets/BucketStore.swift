public import Core

/// Whether a bucket keeps what is overwritten and deleted.
public enum Versioning: Int, Hashable, Sendable, CaseIterable {
    /// It never has.
    case off = 0
    case enabled = 1
    /// It has; what is written now has the version `null`.
    case suspended = 2
}

/// A document that belongs to a bucket, kept as text in the form of whoever wrote it; the database does not look into it.
public enum BucketDocument: String, Hashable, Sendable, CaseIterable {
    case accessControl = "acl"
    case policy
    case publicAccessBlock = "public-access-block"
    case ownership
    case cors
    case tagging
    case lifecycle
    case encryption
    case objectLock = "object-lock"
    case notification
    case logging
    case website
    /// The region that its creator named.
    case location
}

/// A bucket and all of its documents.
public struct BucketDescription: Hashable, Sendable {
    public let bucket: BucketRecord
    public let documents: [BucketDocument: String]

    public init(bucket: BucketRecord, documents: [BucketDocument: String]) {
        self.bucket = bucket
        self.documents = documents
    }
}

/// Whose buckets are meant.
public enum BucketOwner: Hashable, Sendable {
    case anyone
    /// The root account, which has those that name no owner.
    case root
    case account(String)
}

/// Buckets. Every method is atomic, and durable when it returns.
public protocol BucketStore: Sendable {
    /// - Parameters:
    ///   - owner: an account's id; nil for the root account.
    ///   - isLocking: whether its objects can be locked: from its birth on, with versioning enabled.
    /// - Throws: ``MetadataError/conflict(detail:)`` when there is a bucket of that name.
    func createBucket(
        named name: String, owner: String?, isLocking: Bool, documents: [BucketDocument: String], at time: Timestamp
    ) async throws -> BucketRecord
    /// The bucket with its documents, in one read: asked for with every request.
    func describeBucket(named name: String) async throws -> BucketDescription?
    /// In byte order of their names, those after `name` only. Internal ones are the root account's.
    func buckets(ownedBy owner: BucketOwner, prefix: String, after name: String?, limit: Int) async throws -> [BucketRecord]
    /// With its documents and its uploads in progress, whose parts become garbage. Its ``BucketID`` is never used again.
    /// - Throws: ``MetadataError/bucketNotEmpty`` when it has an object, an older version or a delete marker;
    ///   ``MetadataError/noSuchBucket(_:)``.
    func deleteBucket(_ bucket: BucketID, at time: Timestamp) async throws
    /// - Throws: ``MetadataError/conflict(detail:)`` when it would be turned off and was not, or suspended and its objects can be locked;
    ///   ``MetadataError/noSuchBucket(_:)``.
    func setVersioning(_ versioning: Versioning, of bucket: BucketID) async throws
    /// nil removes it.
    /// - Throws: ``MetadataError/noSuchBucket(_:)``.
    func setDocument(_ kind: BucketDocument, of bucket: BucketID, to text: String?) async throws
    /// The buckets that have a document of a kind, with it, in the order in which they were made; those after `bucket` only. Reads the
    /// documents of all buckets behind it.
    func documents(_ kind: BucketDocument, after bucket: BucketID?, limit: Int) async throws -> [DocumentOfBucket]
    /// Turns locking on for a bucket that exists, and versioning with it.
    /// - Throws: ``MetadataError/noSuchBucket(_:)``.
    func enableLocking(of bucket: BucketID) async throws
}
