internal import ChunkTransport
internal import Core
internal import ErasureCoding
internal import Foundation
internal import Metadata

/// Which object a blob belongs to.
struct ObjectName: Sendable {
    let bucket: BucketRecord
    let key: String
    let version: VersionID
}

/// What a blob's fragments carry beside their payload, so that the metadata can be rebuilt from the nodes alone
/// (docs/decisions/0014-rebuild.md): those of chunk 0 say whose bytes these are, those of the last chunk that this is all of them.
/// A blob without ``content`` on its last chunk was never written to its end.
///
/// JSON: read once in a disaster, so legible matters more than small. What a reader does not know it ignores; what it must not ignore
/// raises ``format``.
package struct BlobDescriptor: Codable, Equatable, Sendable {
    package static let currentFormat = 1

    /// The object whose whole content the blob is.
    package struct Object: Codable, Equatable, Sendable {
        package let bucket: String
        package let key: String
        package let version: String
        package var fileName: String?
        package let contentType: String
        /// Milliseconds since 1970.
        package let createdAt: Int64
        package var userMetadata: [String: String]?
        /// Whether something was left out because it did not fit.
        package var isShortened: Bool?

        package init(
            bucket: String, key: String, version: String, fileName: String?, contentType: String, createdAt: Int64,
            userMetadata: [String: String]? = nil
        ) {
            self.bucket = bucket
            self.key = key
            self.version = version
            self.fileName = fileName
            self.contentType = contentType
            self.createdAt = createdAt
            self.userMetadata = userMetadata
        }
    }

    /// How the blob is stored.
    package struct Storage: Codable, Equatable, Sendable {
        package let storageClass: String
        /// Bytes.
        package let chunkSize: Int
        package let layoutVersion: Int
        /// Fragments of every chunk that were durable when the upload was acknowledged, at least.
        package let quorum: Int

        package init(storageClass: String, chunkSize: Int, layoutVersion: Int, quorum: Int) {
            self.storageClass = storageClass
            self.chunkSize = chunkSize
            self.layoutVersion = layoutVersion
            self.quorum = quorum
        }
    }

    /// What is known when all bytes have come.
    package struct Content: Codable, Equatable, Sendable {
        package let byteCount: Int64
        package let etag: String
        package let crc32c: UInt32?
        /// When all bytes were there: a little before the object became visible. Milliseconds since 1970.
        package let completedAt: Int64

        package init(byteCount: Int64, etag: String, crc32c: UInt32?, completedAt: Int64) {
            self.byteCount = byteCount
            self.etag = etag
            self.crc32c = crc32c
            self.completedAt = completedAt
        }
    }

    package let format: Int
    /// On chunk 0. A blob that has none is a part of something that only the metadata know.
    package var object: Object?
    /// On chunk 0.
    package var storage: Storage?
    /// On the last chunk, which may be chunk 0.
    package var content: Content?

    package init(object: Object? = nil, storage: Storage? = nil, content: Content? = nil) {
        format = Self.currentFormat
        self.object = object
        self.storage = storage
        self.content = content
    }

    /// - Returns: at most ``TransportLimits/maximumDescriptorSize`` bytes; what can be done without is left out to get there.
    package func encoded() throws -> [UInt8] {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        let whole = try encoder.encode(self)
        guard whole.count > TransportLimits.maximumDescriptorSize else { return Array(whole) }
        var shortened = self
        shortened.object?.userMetadata = nil
        shortened.object?.fileName = nil
        shortened.object?.isShortened = true
        return Array(try encoder.encode(shortened))
    }

    /// - Returns: nil for what is no descriptor, or one of a format that this version does not know.
    package init?(decoding bytes: [UInt8]) {
        guard let descriptor = try? JSONDecoder().decode(Self.self, from: Data(bytes)), descriptor.format == Self.currentFormat else {
            return nil
        }
        self = descriptor
    }
}

extension BlobDescriptor.Object {
    init(name: ObjectName, description: UploadDescription, createdAt: Timestamp) {
        self.init(
            bucket: name.bucket.name, key: name.key, version: name.version.description, fileName: description.fileName,
            contentType: description.contentType, createdAt: createdAt.millisecondsSince1970)
    }

    /// Of a version that is there already.
    /// - Returns: nil for one whose content is not, byte for byte, one blob with its entity tag: only the metadata can tell what it is.
    init?(_ version: ObjectRecord, in bucket: BucketRecord) {
        guard version.blobs.count == 1, version.attributes.encryption == nil, !version.etag.contains("-") else { return nil }
        self.init(
            bucket: bucket.name, key: version.key, version: version.version.description, fileName: version.fileName,
            contentType: version.contentType, createdAt: version.createdAt.millisecondsSince1970,
            userMetadata: version.userMetadata.isEmpty ? nil : version.userMetadata)
    }
}
