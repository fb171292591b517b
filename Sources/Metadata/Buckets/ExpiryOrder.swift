/// A version that is to go because a rule of its bucket says so, as it was when somebody looked at it.
public struct ExpiryOrder: Hashable, Sendable {
    public enum Kind: Hashable, Sendable, CaseIterable {
        /// The latest version, an object: it is deleted as by a client who names no version.
        case latest
        /// An object or a delete marker behind a later version: it is removed for good.
        case noncurrent
        /// A delete marker that is the key's only version: it is removed for good.
        case loneMarker
    }

    public let kind: Kind
    public let key: String
    public let version: VersionID
    /// The name of a delete marker, should one be made.
    public let marker: VersionID

    public init(kind: Kind, key: String, version: VersionID, marker: VersionID) {
        self.kind = kind
        self.key = key
        self.version = version
        self.marker = marker
    }
}

/// A bucket's document, of one kind.
public struct DocumentOfBucket: Hashable, Sendable {
    public let bucket: BucketRecord
    public let text: String

    public init(bucket: BucketRecord, text: String) {
        self.bucket = bucket
        self.text = text
    }
}
