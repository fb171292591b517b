public import Core

/// An order to store the objects of a bucket as the bucket's class says. Nobody else's, and new with every order.
public struct ReencodingID: Identifier128 {
    public let uuid: UUIDv7
    public init(uuid: UUIDv7) { self.uuid = uuid }
}

/// How far such an order has come. Kept after every step: it goes on after a restart.
public struct ReencodingRecord: Hashable, Sendable {
    /// Up to where all versions of objects have been looked at.
    public enum Position: Hashable, Sendable {
        /// Latest versions, in byte order of their keys.
        case latest(after: String?)
        /// Then older ones, in byte order of their keys, those of a key from old to new.
        case older(after: String?, VersionID?)
    }

    public let id: ReencodingID
    public let bucket: BucketRecord
    /// Latest versions in the bucket when the order was given.
    public let objectCount: Int64
    public var position: Position
    /// Versions looked at since the order was given, or since the walk began anew.
    public var examinedCount: Int64
    /// Versions that could not be stored anew in this walk: it begins anew for them.
    public var failedCount: Int64
    /// Versions stored anew, and their bytes of content.
    public var reencodedCount: Int64
    public var reencodedBytes: Int64

    public init(
        id: ReencodingID, bucket: BucketRecord, objectCount: Int64, position: Position = .latest(after: nil), examinedCount: Int64 = 0,
        failedCount: Int64 = 0, reencodedCount: Int64 = 0, reencodedBytes: Int64 = 0
    ) {
        self.id = id
        self.bucket = bucket
        self.objectCount = objectCount
        self.position = position
        self.examinedCount = examinedCount
        self.failedCount = failedCount
        self.reencodedCount = reencodedCount
        self.reencodedBytes = reencodedBytes
    }
}

/// How buckets want their objects stored, and the objects that are brought to that. Every method is atomic, and durable when it
/// returns. Throws ``MetadataError``.
public protocol ReencodingStore: Sendable {
    /// Those after `name` only, in byte order of their names. Internal ones are left out, and have the cluster's default always.
    func bucketClasses(after name: String?, limit: Int) async throws -> [BucketRecord]
    /// Sets the class of a bucket's objects that ask for none; an order to store those that are there anew, if one was given before,
    /// is dropped.
    /// - Parameters:
    ///   - storageClass: nil for the cluster's default.
    ///   - order: given in the same transaction; nil to leave what is stored as it is.
    /// - Returns: nil when there is no such bucket.
    func setStorageClass(_ storageClass: String?, ofBucket name: String, order: ReencodingID?) async throws -> BucketRecord?

    /// All orders that have not been carried out, oldest bucket first.
    func reencodings() async throws -> [ReencodingRecord]
    /// Versions of objects behind the position of an order, in the order of the walk. Delete markers are left out.
    func versions(toReencode order: ReencodingRecord, limit: Int) async throws -> [ObjectRecord]
    /// Keeps how far an order has come.
    /// - Returns: false when the order was dropped.
    func saveReencoding(_ order: ReencodingRecord) async throws -> Bool
    /// Forgets an order, and the blobs that it replaced.
    func finishReencoding(_ order: ReencodingID) async throws

    /// What has taken the place of blobs that something else still refers to, as far as it is still there.
    func replacements(of blobs: [BlobID], by order: ReencodingID) async throws -> [BlobID: BlobRecord]
    /// Gives a version, latest or not, other blobs of the same content, if it still consists of those that `version` has: its name,
    /// its dates and its checksums stay. The blobs that it had become garbage unless something else refers to them. Where it has been
    /// deleted or overwritten, or consists of others by now, nothing changes, and those of `blobs` that nothing refers to become
    /// garbage.
    /// - Parameters:
    ///   - blobs: as many as it has, in the same order; some may be the same.
    ///   - repairs: what their writing left to be done.
    /// - Returns: whether the version has the new blobs.
    /// - Throws: ``MetadataError/conflict(detail:)`` when one of `blobs` is on the garbage list.
    func replaceBlobs(
        of version: ObjectRecord, with blobs: [BlobRecord], repairs: [RepairRecord], by order: ReencodingID, at time: Timestamp
    ) async throws -> Bool
}
