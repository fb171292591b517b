public import Core

/// Which version of a key is meant.
public enum VersionSelector: Hashable, Sendable {
    /// The latest, whatever it is.
    case latest
    /// The one called `null`: written while the bucket had no versioning, or had it suspended.
    case null
    case named(VersionID)
}

/// A version of a key: an object, or the mark that it was deleted.
public enum ObjectVersion: Hashable, Sendable {
    case object(ObjectRecord)
    case deleteMarker(DeleteMarker)

    public var key: String {
        switch self {
        case .object(let object): object.key
        case .deleteMarker(let marker): marker.key
        }
    }
}

public struct DeleteMarker: Hashable, Sendable {
    public let key: String
    public let version: VersionID
    public let isNullVersion: Bool
    public let createdAt: Timestamp
    /// The account that deleted; nil for the root account.
    public let owner: String?

    public init(key: String, version: VersionID, isNullVersion: Bool, createdAt: Timestamp, owner: String?) {
        self.key = key
        self.version = version
        self.isNullVersion = isNullVersion
        self.createdAt = createdAt
        self.owner = owner
    }
}

/// What must hold for a write or a deletion to happen, looked at in the same transaction: of the latest version of the key, or of the
/// version that is to be deleted.
///
/// A deletion finds a delete marker that is the latest version to be no object: ``MetadataError/noSuchKey`` when it asks for any, and
/// ``MetadataError/preconditionFailed`` when it asks for certain content.
public struct WriteCondition: Hashable, Sendable {
    public enum Match: Hashable, Sendable {
        case any
        /// Entity tags without quotation marks.
        case etags([String])
    }

    /// There must be an object, of such a tag. Without any object: ``MetadataError/noSuchKey``; with another: ``MetadataError/preconditionFailed``.
    public var ifMatch: Match?
    /// There must be none, or none of such a tag: ``MetadataError/preconditionFailed``.
    public var ifNoneMatch: Match?
    /// Of deletions: bytes, and when it was made, to the second; else ``MetadataError/preconditionFailed``.
    public var byteCount: Int64?
    public var createdAt: Timestamp?

    public init(ifMatch: Match? = nil, ifNoneMatch: Match? = nil, byteCount: Int64? = nil, createdAt: Timestamp? = nil) {
        self.ifMatch = ifMatch
        self.ifNoneMatch = ifNoneMatch
        self.byteCount = byteCount
        self.createdAt = createdAt
    }

    public static let none = WriteCondition()
}

/// What a commit made.
public struct CommittedVersion: Hashable, Sendable {
    /// What was proposed, unless the key keeps a version with that name or a greater one: then the next above it. Who commits last is
    /// the latest, whenever, and by whatever clock, it began.
    public let version: VersionID
    public let isNullVersion: Bool
    /// Of the bucket, at that moment.
    public let versioning: Versioning

    public init(version: VersionID, isNullVersion: Bool, versioning: Versioning) {
        self.version = version
        self.isNullVersion = isNullVersion
        self.versioning = versioning
    }
}

/// What a deletion did.
public struct Deletion: Hashable, Sendable {
    /// The version that was removed, or the delete marker that was made; nil when nothing was there and nothing was made.
    public let version: (CommittedVersion)?
    /// Whether what was removed, or made, is a delete marker.
    public let isDeleteMarker: Bool

    public init(version: CommittedVersion?, isDeleteMarker: Bool) {
        self.version = version
        self.isDeleteMarker = isDeleteMarker
    }
}

/// A request for a page of keys.
public struct ListRequest: Hashable, Sendable {
    public var prefix: String
    /// What comes after `prefix` up to the first of these is shown once, as a common prefix; nil, or empty, for none.
    public var delimiter: String?
    /// Only what is greater, in byte order. A common prefix that is not greater than it is not shown again.
    public var after: String?
    /// Keys and common prefixes together; 0 gives an empty page.
    public var limit: Int

    public init(prefix: String = "", delimiter: String? = nil, after: String? = nil, limit: Int) {
        self.prefix = prefix
        self.delimiter = delimiter
        self.after = after
        self.limit = limit
    }
}

/// A page of keys. Its cost does not depend on the size of the bucket, nor on how many keys a common prefix hides.
public struct ListPage<Element: Sendable & Hashable>: Hashable, Sendable {
    public var elements: [Element]
    public var commonPrefixes: [String]
    /// The last key or common prefix of the page, when there is more behind it.
    public var next: String?

    public init(elements: [Element] = [], commonPrefixes: [String] = [], next: String? = nil) {
        self.elements = elements
        self.commonPrefixes = commonPrefixes
        self.next = next
    }
}

/// A version in a listing.
public struct ListedVersion: Hashable, Sendable {
    public let version: ObjectVersion
    public let isLatest: Bool

    public init(version: ObjectVersion, isLatest: Bool) {
        self.version = version
        self.isLatest = isLatest
    }
}

/// Objects with their versions. Every method is atomic, and durable when it returns.
public protocol VersionStore: Sendable {
    /// Makes an object visible as the latest version of its key, in one transaction with `repairs`: what its writing left to be done.
    ///
    /// With versioning off, what the key held becomes garbage. Enabled, it stays as an older version. Suspended, the new version is
    /// called null and replaces the one that was called so. ``ObjectRecord/isNullVersion`` of `object` is not looked at, and its
    /// version may become another: see ``CommittedVersion/version``.
    /// - Throws: ``MetadataError/noSuchBucket(_:)``; ``MetadataError/conflict(detail:)`` when a blob of the object is on the garbage list;
    ///   ``MetadataError/protected`` when what it would replace is; ``MetadataError/preconditionFailed``, ``MetadataError/noSuchKey``.
    func commit(_ object: ObjectRecord, condition: WriteCondition, repairs: [RepairRecord]) async throws -> CommittedVersion

    /// One called null can be asked for by its name, too.
    /// - Returns: nil when there is none.
    func version(_ selector: VersionSelector, of key: String, in bucket: BucketID) async throws -> ObjectVersion?

    /// Deletes as S3 does. `.latest`: with versioning off the object goes; else a delete marker is made (enabled: a new version; suspended:
    /// one called null, which replaces the version that was called so). Another selector removes that version for good, and what came
    /// before it is the latest then.
    /// - Parameters:
    ///   - marker: the name of a delete marker, should one be made; as with a commit, it may become another.
    ///   - owner: who deletes.
    /// - Throws: ``MetadataError/protected`` for a version that ``ObjectAttributes/isProtected(at:bypassingGovernance:)``, be it named
    ///   or replaced by a delete marker;
    ///   ``MetadataError/preconditionFailed``, ``MetadataError/noSuchKey`` (only with a condition); ``MetadataError/noSuchBucket(_:)``.
    func delete(
        _ selector: VersionSelector, of key: String, in bucket: BucketID, marker: VersionID, owner: String?, condition: WriteCondition,
        bypassingGovernance: Bool, at time: Timestamp
    ) async throws -> Deletion

    /// Carries out, in one transaction, those of `orders` whose version is still what the order says of it: one that was overwritten,
    /// removed, or became the latest since, stays, and so does one that ``ObjectAttributes/isProtected(at:bypassingGovernance:)``.
    /// - Parameter owner: of delete markers that are made.
    /// - Returns: those that were carried out.
    /// - Throws: ``MetadataError/noSuchBucket(_:)``.
    func expire(_ orders: [ExpiryOrder], in bucket: BucketID, owner: String?, at time: Timestamp) async throws -> [ExpiryOrder]

    /// Changes the attributes of a version in one transaction.
    /// - Parameter change: may be called more than once; what it throws is thrown on, and nothing changes.
    /// - Returns: the version as it is then; nil when there is none, or it is a delete marker.
    func changeAttributes(
        of selector: VersionSelector, of key: String, in bucket: BucketID,
        _ change: @escaping @Sendable (inout ObjectAttributes) throws -> Void
    ) async throws -> ObjectRecord?

    /// Latest versions that are objects, in byte order of their keys. Without their blobs: `blobs` is empty, whatever they hold.
    func list(_ request: ListRequest, in bucket: BucketID) async throws -> ListPage<ObjectRecord>

    /// All versions: keys in byte order, of each key the latest first. Without their blobs.
    /// - Parameter version: of the key `request.after`, goes on behind this version, though it be gone; nil to go on behind the key. One
    ///   called null that is gone has left no trace: the key's versions are listed from the first, rather than some of them never.
    func listVersions(
        _ request: ListRequest, after version: VersionSelector?, in bucket: BucketID
    ) async throws -> ListPage<ListedVersion>
}
