public import Core

/// A multipart upload in progress.
public struct UploadID: Identifier128 {
    public let uuid: UUIDv7
    public init(uuid: UUIDv7) { self.uuid = uuid }
}

public struct UploadRecord: Hashable, Sendable {
    public let id: UploadID
    public let bucket: BucketID
    public let key: String
    public let contentType: String
    /// As ``ObjectRecord/userMetadata``.
    public let userMetadata: [String: String]
    /// Of the object that is to be. Its checksum has the algorithm and the kind, and an empty value.
    public let attributes: ObjectAttributes
    public let createdAt: Timestamp

    public init(
        id: UploadID, bucket: BucketID, key: String, contentType: String, userMetadata: [String: String], attributes: ObjectAttributes,
        createdAt: Timestamp
    ) {
        self.id = id
        self.bucket = bucket
        self.key = key
        self.contentType = contentType
        self.userMetadata = userMetadata
        self.attributes = attributes
        self.createdAt = createdAt
    }
}

/// A part of a multipart upload, or of the object that was made of them.
public struct PartRecord: Hashable, Sendable {
    /// 1 to 10,000.
    public let number: Int
    /// Plain bytes.
    public let byteCount: Int64
    /// Hexadecimal MD5.
    public let etag: String
    public let crc32c: UInt32?
    /// In the algorithm of the upload: base64.
    public let checksum: String?
    public let createdAt: Timestamp
    /// nil for an empty part.
    public let blob: BlobRecord?

    public init(
        number: Int, byteCount: Int64, etag: String, crc32c: UInt32?, checksum: String?, createdAt: Timestamp, blob: BlobRecord?
    ) {
        self.number = number
        self.byteCount = byteCount
        self.etag = etag
        self.crc32c = crc32c
        self.checksum = checksum
        self.createdAt = createdAt
        self.blob = blob
    }
}

/// How a completed upload is answered, should it be completed again.
public struct CompletedUpload: Hashable, Sendable {
    public let bucket: BucketID
    public let key: String
    /// Identifies the list of parts that was given.
    public let partsDigest: String
    public let etag: String
    public let version: CommittedVersion

    public init(bucket: BucketID, key: String, partsDigest: String, etag: String, version: CommittedVersion) {
        self.bucket = bucket
        self.key = key
        self.partsDigest = partsDigest
        self.etag = etag
        self.version = version
    }
}

/// Multipart uploads. Every method is atomic, and durable when it returns.
public protocol MultipartStore: Sendable {
    /// - Throws: ``MetadataError/noSuchBucket(_:)``.
    func createUpload(_ upload: UploadRecord) async throws
    func upload(_ id: UploadID) async throws -> UploadRecord?
    /// In byte order of their keys, of each key in the order of their ids.
    /// - Parameter id: of the key `request.after`, goes on behind this upload; nil to go on behind the key.
    func uploads(_ request: ListRequest, after id: UploadID?, in bucket: BucketID) async throws -> ListPage<UploadRecord>

    /// Adds a part, in one transaction with `repairs`. A part of that number that was there becomes garbage.
    /// - Throws: ``MetadataError/noSuchUpload``: the part's blob is the caller's to discard then.
    func putPart(_ part: PartRecord, of upload: UploadID, repairs: [RepairRecord]) async throws
    /// In the order of their numbers, those after `number` only.
    func parts(of upload: UploadID, after number: Int, limit: Int) async throws -> [PartRecord]

    /// Makes an object of parts, in one transaction: it takes over the blobs of `parts`, the other parts become garbage, the upload
    /// is gone, and how it was completed is remembered.
    /// - Parameters:
    ///   - object: with the blobs of `parts`, in order. ``forgetCompletedUploads(before:)`` takes its time for that of the completion.
    ///   - parts: as they were read before, in the order of their numbers. If one is another by now:
    ///     ``MetadataError/conflict(detail:)``, and nothing happens.
    ///   - partsDigest: identifies the list of parts that the client gave.
    /// - Throws: as ``VersionStore/commit(_:condition:repairs:)``; ``MetadataError/noSuchUpload``, also when it is of another key.
    func completeUpload(
        _ id: UploadID, as object: ObjectRecord, parts: [PartRecord], partsDigest: String, condition: WriteCondition
    ) async throws -> CommittedVersion
    /// nil for an upload that was never completed, or so long ago that it is forgotten.
    func completedUpload(_ id: UploadID) async throws -> CompletedUpload?
    /// Forgets uploads completed before `time`.
    func forgetCompletedUploads(before time: Timestamp) async throws

    /// Its parts become garbage.
    /// - Returns: false when there was no such upload.
    func abortUpload(_ id: UploadID, at time: Timestamp) async throws -> Bool

    /// The parts that a version was made of, as long as it exists, without their blobs; empty for one that was not made of parts.
    /// - Parameter number: those after this number only.
    func parts(ofVersion version: VersionID, after number: Int, limit: Int) async throws -> [PartRecord]
}
