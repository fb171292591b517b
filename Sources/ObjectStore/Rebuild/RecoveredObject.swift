internal import Core
internal import ErasureCoding
internal import Metadata

/// An object as the descriptors of its blob tell of it.
struct RecoveredObject: Sendable {
    let bucket: String
    let key: String
    let version: VersionID
    let createdAt: Timestamp
    /// When all of its bytes were there.
    let completedAt: Timestamp
    /// Fragments of every chunk that there were when the upload was acknowledged, at least.
    let quorum: Int
    let blob: BlobRecord
    var etag: String { content.etag }
    private let object: BlobDescriptor.Object
    private let content: BlobDescriptor.Content

    /// - Parameter newestLayout: the version of the newest layout that is known: what was written under later ones counts as written
    ///   under this one.
    /// - Returns: nil when the descriptor does not say everything, or something that cannot be.
    init?(_ found: FoundBlob, _ descriptor: BlobDescriptor, newestLayout: Int) {
        guard let object = descriptor.object, let storage = descriptor.storage, let content = descriptor.content,
            let version = VersionID(object.version), StorageClass(storage.storageClass) != nil, storage.chunkSize > 0,
            storage.chunkSize.isMultiple(of: Piece.blockSize), content.byteCount >= 0,
            content.byteCount <= Int64(storage.chunkSize) * Int64(UInt32.max)
        else { return nil }
        self.object = object
        self.content = content
        self.version = version
        bucket = object.bucket
        key = object.key
        createdAt = Timestamp(millisecondsSince1970: object.createdAt)
        completedAt = Timestamp(millisecondsSince1970: content.completedAt)
        quorum = storage.quorum
        blob = BlobRecord(
            id: found.id, byteCount: content.byteCount, chunkSize: storage.chunkSize,
            layoutVersion: max(1, min(storage.layoutVersion, newestLayout)), storageClass: storage.storageClass)
    }

    /// - Parameter key: nil for its own.
    func record(in bucket: BucketID, key: String? = nil) -> ObjectRecord {
        ObjectRecord(
            bucket: bucket, key: key ?? self.key, version: version, byteCount: content.byteCount, fileName: object.fileName,
            contentType: object.contentType, etag: content.etag, crc32c: content.crc32c, createdAt: createdAt,
            userMetadata: object.userMetadata ?? [:], blobs: [blob])
    }
}
