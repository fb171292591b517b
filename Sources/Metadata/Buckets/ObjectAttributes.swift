public import Core

/// What is known of an object beyond its name, its bytes and its headers. Kept as JSON; only members that are there are written.
public struct ObjectAttributes: Codable, Hashable, Sendable {
    public struct Tag: Codable, Hashable, Sendable {
        public let key: String
        public let value: String

        public init(key: String, value: String) {
            self.key = key
            self.value = value
        }
    }

    /// A checksum that the client asked for, or sent.
    public struct Checksum: Codable, Hashable, Sendable {
        public enum Kind: String, Codable, Sendable { case fullObject, composite }
        /// As S3 writes it: `CRC32`, `CRC32C`, `CRC64NVME`, `SHA1`, `SHA256`.
        public let algorithm: String
        /// Base64; with `-N` behind it when it is composite.
        public let value: String
        public let kind: Kind

        public init(algorithm: String, value: String, kind: Kind) {
            self.algorithm = algorithm
            self.value = value
            self.kind = kind
        }
    }

    /// How the bytes are encrypted. The blobs then hold ciphertext, `ObjectRecord.byteCount` counts plain bytes.
    public struct Encryption: Codable, Hashable, Sendable {
        public enum Mode: String, Codable, Sendable { case managed = "sse-s3", named = "sse-kms", customer = "sse-c" }
        public let mode: Mode
        /// The name of the key that wraps the data key; nil for the client's.
        public let keyName: String?
        /// The data key, wrapped: base64.
        public let wrappedKey: String
        /// The numbers of the parts that the blobs are, in their order, as runs: `1-4,6`. nil for one blob that is no part.
        public var parts: String?

        public init(mode: Mode, keyName: String?, wrappedKey: String, parts: String? = nil) {
            self.mode = mode
            self.keyName = keyName
            self.wrappedKey = wrappedKey
            self.parts = parts
        }
    }

    /// Keeps a version from being deleted.
    public struct Retention: Codable, Hashable, Sendable {
        public enum Mode: String, Codable, Sendable { case governance = "GOVERNANCE", compliance = "COMPLIANCE" }
        public let mode: Mode
        /// Milliseconds since 1970.
        public let until: Int64

        public init(mode: Mode, until: Int64) {
            self.mode = mode
            self.until = until
        }
    }

    /// The account that wrote it; nil for the root account.
    public var owner: String?
    /// Of an upload of parts: the account that began it, where its object shall belong to another.
    public var initiator: String?
    /// Grants, in a form of the S3 API's; nil for the owner alone.
    public var accessControl: String?
    public var tags: [Tag]?
    /// As S3 names it; nil for `STANDARD`.
    public var storageClass: String?
    public var checksum: Checksum?
    public var encryption: Encryption?
    public var retention: Retention?
    public var isOnLegalHold: Bool?

    public init() {}

    /// Whether nothing is said.
    public var isEmpty: Bool { self == ObjectAttributes() }

    /// Whether a version with these may be removed.
    /// - Parameter bypassingGovernance: whether who asks may, and says so.
    public func isProtected(at time: Timestamp, bypassingGovernance: Bool) -> Bool {
        if isOnLegalHold == true { return true }
        guard let retention, retention.until > time.millisecondsSince1970 else { return false }
        return retention.mode == .compliance || !bypassingGovernance
    }
}
