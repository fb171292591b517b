public import Core
public import Metadata

/// What an object or a part is, told by who checked its bytes on their way in.
public struct AcceptedContent: Sendable {
    /// Plain bytes.
    public let byteCount: Int64
    /// Without quotation marks.
    public let etag: String
    public let checksum: ObjectAttributes.Checksum?

    public init(byteCount: Int64, etag: String, checksum: ObjectAttributes.Checksum?) {
        self.byteCount = byteCount
        self.etag = etag
        self.checksum = checksum
    }

    /// Of bytes that are stored as they came.
    public init(_ digest: ContentDigest, checksum: ObjectAttributes.Checksum?) {
        self.init(byteCount: digest.byteCount, etag: hexadecimal(digest.md5Bytes()), checksum: checksum)
    }
}
