public import Core

/// A bucket, by its row.
public struct BucketID: Hashable, Sendable {
    public let value: Int64
    public init(value: Int64) { self.value = value }
}

public struct BucketRecord: Hashable, Sendable {
    public let id: BucketID
    public let name: String
    public let createdAt: Timestamp
    /// An account's id; nil for the root account.
    public let owner: String?
    public let versioning: Versioning
    /// Whether its objects can be locked.
    public let isLocking: Bool
    /// How its objects are stored that ask for nothing; nil for the cluster's default.
    public let storageClass: String?

    public init(
        id: BucketID, name: String, createdAt: Timestamp, owner: String? = nil, versioning: Versioning = .off, isLocking: Bool = false,
        storageClass: String? = nil
    ) {
        self.id = id
        self.name = name
        self.createdAt = createdAt
        self.owner = owner
        self.versioning = versioning
        self.isLocking = isLocking
        self.storageClass = storageClass
    }

    /// Whether the bucket is the store's own: clients neither see nor name it, and what is in it counts in no total. No client's
    /// bucket can have such a name.
    public var isInternal: Bool { Self.isInternal(name: name.utf8) }

    static func isInternal(name: some Collection<UInt8>) -> Bool { name.first == internalPrefix }
    static let internalPrefix = UInt8(ascii: ".")
}

/// One version of an object. Versions of a key are ordered by this name: a later one is greater.
public struct VersionID: Identifier128 {
    public let uuid: UUIDv7
    public init(uuid: UUIDv7) { self.uuid = uuid }
}

/// A blob: what must be known to compute the names and the places of its chunks. A few dozen bytes, whatever its size.
public struct BlobRecord: Hashable, Sendable {
    public let id: BlobID
    /// Bytes of content.
    public let byteCount: Int64
    /// Bytes of every chunk but the last.
    public let chunkSize: Int
    /// The layout under which it was written.
    public let layoutVersion: Int
    /// How its chunks are stored, for example `replicated-3`, `ec-4-2`, or `replicated` for as many copies as the cluster keeps.
    public let storageClass: String

    public init(id: BlobID, byteCount: Int64, chunkSize: Int, layoutVersion: Int, storageClass: String) {
        self.id = id
        self.byteCount = byteCount
        self.chunkSize = chunkSize
        self.layoutVersion = layoutVersion
        self.storageClass = storageClass
    }

    /// An empty blob has one, without bytes: so that the nodes know of it.
    public var chunkCount: Int { max(1, Int((byteCount + Int64(chunkSize) - 1) / Int64(chunkSize))) }
}

/// What is known of one version of an object.
public struct ObjectRecord: Hashable, Sendable {
    public let bucket: BucketID
    public let key: String
    public let version: VersionID
    /// Whether S3 calls the version `null`.
    public let isNullVersion: Bool
    /// Bytes of content: the sum of its blobs', unless they are encrypted.
    public let byteCount: Int64
    /// The name that the client gave the file; nil when it gave none.
    public let fileName: String?
    public let contentType: String
    /// Without quotation marks: hexadecimal MD5, or S3's composite form for multipart uploads.
    public let etag: String
    /// CRC-32C of the whole content; nil where it is not known.
    public let crc32c: UInt32?
    public let createdAt: Timestamp
    /// Headers and `x-amz-meta-` pairs to give back on reading, by lower-case name.
    public let userMetadata: [String: String]
    public let attributes: ObjectAttributes
    /// The content, in order: one blob, or one for every part of a multipart upload.
    public let blobs: [BlobRecord]

    public init(
        bucket: BucketID, key: String, version: VersionID, isNullVersion: Bool = true, byteCount: Int64, fileName: String?,
        contentType: String, etag: String, crc32c: UInt32?, createdAt: Timestamp, userMetadata: [String: String],
        attributes: ObjectAttributes = ObjectAttributes(), blobs: [BlobRecord]
    ) {
        self.bucket = bucket
        self.key = key
        self.version = version
        self.isNullVersion = isNullVersion
        self.byteCount = byteCount
        self.fileName = fileName
        self.contentType = contentType
        self.etag = etag
        self.crc32c = crc32c
        self.createdAt = createdAt
        self.userMetadata = userMetadata
        self.attributes = attributes
        self.blobs = blobs
    }
}

/// A storage node as the cluster remembers it.
public struct NodeRecord: Hashable, Sendable {
    public let id: NodeID
    /// `host:port` under which it last answered; empty for a node of the same process.
    public let address: String
    public let zone: String
    public let addedAt: Timestamp
    /// Its share of the partitions relative to the others'; more than 0.
    public var weight: Double
    public var membership: Membership

    /// Whether new layouts name the node.
    public enum Membership: String, Hashable, Sendable, CaseIterable {
        case member
        /// It works, and is being emptied by order.
        case draining
        /// Taken out by order.
        case left
        /// Taken out because it was away for too long: a member again as soon as it answers.
        case lost
    }

    public init(
        id: NodeID, address: String, zone: String, addedAt: Timestamp, weight: Double = 1, membership: Membership = .member
    ) {
        self.id = id
        self.address = address
        self.zone = zone
        self.addedAt = addedAt
        self.weight = weight
        self.membership = membership
    }
}

/// Blobs, and the bytes in them.
public struct BlobTotals: Hashable, Sendable {
    public let blobCount: Int64
    /// Bytes of content, copies not counted.
    public let byteCount: Int64

    public init(blobCount: Int64, byteCount: Int64) {
        self.blobCount = blobCount
        self.byteCount = byteCount
    }
}

/// Blobs that are still where an older layout wants them.
public struct UnmovedBlobs: Hashable, Sendable {
    /// By storage class.
    public let byClass: [String: BlobTotals]
    /// The oldest layout that any of them follows; nil when there are none.
    public let oldestVersion: Int?

    public init(byClass: [String: BlobTotals], oldestVersion: Int?) {
        self.byClass = byClass
        self.oldestVersion = oldestVersion
    }

    public var totals: BlobTotals {
        byClass.values.reduce(BlobTotals(blobCount: 0, byteCount: 0)) {
            BlobTotals(blobCount: $0.blobCount + $1.blobCount, byteCount: $0.byteCount + $1.byteCount)
        }
    }
}

/// A fragment that a node should have and does not.
public struct RepairRecord: Hashable, Sendable {
    public enum Reason: String, Sendable, CaseIterable {
        /// The node was away, or failed, when the fragment was written.
        case missed
        /// What the node has fails its checksum.
        case corrupt
        /// The node should have it and says that it has not.
        case missing
    }

    public let fragment: FragmentID
    public let node: NodeID
    public let layoutVersion: Int
    public let reason: Reason
    /// Fragments of the chunk that can be lost before it is.
    public let tolerance: Int
    /// How many attempts have failed.
    public let attempts: Int
    /// Not to be tried before.
    public let dueAt: Timestamp

    public init(
        fragment: FragmentID, node: NodeID, layoutVersion: Int, reason: Reason, tolerance: Int, attempts: Int, dueAt: Timestamp
    ) {
        self.fragment = fragment
        self.node = node
        self.layoutVersion = layoutVersion
        self.reason = reason
        self.tolerance = tolerance
        self.attempts = attempts
        self.dueAt = dueAt
    }
}

/// What the repair queue holds.
public struct RepairBacklog: Hashable, Sendable {
    /// Fragments; a reason that none has is left out.
    public let byReason: [RepairRecord.Reason: Int]
    /// Chunks of which at least one fragment waits.
    public let chunkCount: Int

    public init(byReason: [RepairRecord.Reason: Int], chunkCount: Int) {
        self.byReason = byReason
        self.chunkCount = chunkCount
    }
}

/// A blob that nothing refers to any more and whose fragments are still to be removed from the nodes.
public struct GarbageRecord: Hashable, Sendable {
    public let blob: BlobRecord
    public let since: Timestamp

    public init(blob: BlobRecord, since: Timestamp) {
        self.blob = blob
        self.since = since
    }
}
