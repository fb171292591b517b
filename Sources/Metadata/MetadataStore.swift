public import Core

/// The database that decides what exists: an object is there when, and only when, its row was committed here.
///
/// Every method is atomic, and durable when it returns. Concurrent writers of one key: the last commit wins, never a mix.
/// Safe to call from any task. Throws ``MetadataError``.
public protocol MetadataStore: LeaseStore, AccountStore, BucketStore, VersionStore, MultipartStore, ReencodingStore {
    // MARK: Cluster

    /// The cluster's name: `fresh` is taken and kept by the first call ever, and given back by all later ones.
    func clusterID(orElse fresh: ClusterID) async throws -> ClusterID
    /// Inserts or updates, by the node's name.
    func saveNode(_ node: NodeRecord) async throws
    func nodes() async throws -> [NodeRecord]
    /// Saves a layout and, in one transaction, the nodes that change with it.
    /// - Throws: ``MetadataError/conflict`` when that version exists already.
    func saveLayout(version: Int, encoded: [UInt8], nodes: [NodeRecord], at time: Timestamp) async throws
    /// All of them, oldest first.
    func layouts() async throws -> [(version: Int, encoded: [UInt8])]

    /// A switch of the cluster's; false until it was set.
    func flag(named name: String) async throws -> Bool
    func setFlag(named name: String, to value: Bool) async throws

    /// When something of that name last happened; nil when it never did.
    func moment(named name: String) async throws -> Timestamp?
    func setMoment(named name: String, to time: Timestamp) async throws

    // MARK: Movement between layouts

    /// Blobs that something refers to, in the order of their names; those after `blob` only.
    func blobs(after blob: BlobID?, limit: Int) async throws -> [BlobRecord]
    /// Those of `ids` that something refers to.
    func blobs(_ ids: [BlobID]) async throws -> [BlobRecord]
    /// Says that all fragments of these blobs are where layout `version` wants them. Those at a later one already, and those
    /// that are gone, are left alone.
    func moveBlobs(_ ids: [BlobID], toLayout version: Int) async throws
    /// How much is still where a layout before `version` wants it. Reads every blob's row.
    func unmoved(before version: Int) async throws -> UnmovedBlobs
    /// Those of `blobs` of which a fragment waits to be repaired.
    func blobsInRepair(among blobs: [BlobID]) async throws -> Set<BlobID>

    // MARK: Buckets and objects

    /// Makes the bucket, or gives back the one that has the name.
    func ensureBucket(named name: String, at time: Timestamp) async throws -> BucketRecord
    func bucket(named name: String) async throws -> BucketRecord?
    /// All of them, internal ones among them, in byte order of their names.
    func buckets() async throws -> [BucketRecord]

    /// As ``VersionStore/commit(_:condition:repairs:)`` without a condition.
    func commit(_ object: ObjectRecord, repairs: [RepairRecord]) async throws
    /// The latest version of a key; nil when there is none, or it is a delete marker.
    func object(in bucket: BucketID, key: String) async throws -> ObjectRecord?
    /// Objects with their blobs, in byte order of their keys, those after `key` only.
    func objects(in bucket: BucketID, after key: String?, limit: Int) async throws -> [ObjectRecord]
    /// Removes an object, as ``VersionStore`` deletes the latest version; its blobs that nothing else refers to become garbage.
    /// - Returns: false when there was none: nothing has happened then.
    func deleteObject(in bucket: BucketID, key: String, at time: Timestamp) async throws -> Bool

    // MARK: Collection

    /// Those of `blobs` that an object, an upload in progress or the garbage list refers to.
    func knownBlobs(among blobs: [BlobID]) async throws -> Set<BlobID>
    /// In the order of the blobs' names, which is that of their birth; those after `blob` only.
    func garbage(after blob: BlobID?, limit: Int) async throws -> [GarbageRecord]
    /// Puts blobs on the garbage list. Those that an object or an upload in progress refers to are left alone, and those on
    /// the list already stay as they are: a writer that does not know whether its commit came through may call this.
    func addGarbage(_ blobs: [BlobRecord], at time: Timestamp) async throws
    /// Their fragments are gone from every node: forgets them, and the repairs that were waiting for them.
    func removeGarbage(_ blobs: [BlobID]) async throws

    /// How much is on the garbage list. Reads all of it.
    func garbageTotals() async throws -> BlobTotals

    // MARK: Repair

    /// Adds what is not in the queue yet; the key is fragment and node. A row that is there keeps its `attempts`.
    func enqueueRepairs(_ repairs: [RepairRecord]) async throws
    /// Due at `time`, of one of `nodes`: first those of chunks that can
    /// lose the fewest further fragments (``RepairRecord/tolerance`` less those that wait), among these the longest due.
    func dueRepairs(at time: Timestamp, nodes: [NodeID], limit: Int) async throws -> [RepairRecord]
    func finishRepairs(_ repairs: [RepairRecord]) async throws
    /// Forgets all that waits for a node that is no member any more.
    func dropRepairs(on node: NodeID) async throws
    /// Counts a failed attempt for each and sets its next time.
    func postponeRepairs(_ repairs: [RepairRecord], until time: Timestamp) async throws
    func repairCount() async throws -> Int
    /// What waits to be repaired. Reads the whole queue.
    func repairBacklog() async throws -> RepairBacklog

    /// How much there is, but for what is in internal buckets.
    func totals() async throws -> MetadataTotals

    // MARK: Backup

    /// Writes all metadata, as they are at one moment, to a file of their own. Writes go on meanwhile and wait for nothing; a
    /// transaction is wholly in the file or not at all. The copy is checked before it gets its name.
    ///
    /// Made under the name `path.tmp`, flushed, renamed, the directory flushed: the file is whole and durable, or not there. One at
    /// a time; another waits. Once it has begun it is not cancelled.
    /// - Parameters:
    ///   - path: in a directory that exists, with room for a file as large as the database.
    ///   - replacing: whether a file of that name may be there already.
    /// - Throws: ``MetadataError/conflict(detail:)`` when the file is there already; ``MetadataError/damaged(detail:)`` when the copy,
    ///   and with it the database, is; ``MetadataError/diskFull``; ``MetadataError/failure(detail:)``; `CancellationError` while it waits.
    func backup(to path: String, replacing: Bool) async throws
    /// Greater with every change that a backup made before it lacks, from any number at the start of the process on. What the store
    /// would find out again by itself does not count: repairs, garbage that was collected, leases, and internal buckets.
    var changeCount: Int { get }
    /// When these metadata were put in place from a backup; nil when they never were.
    func restoredAt() async throws -> Timestamp?

    /// Waits for what is being committed and closes the database. Calls that come later throw ``MetadataError/closed``.
    func close() async
}

extension MetadataStore {
    /// To a file that is not there yet.
    public func backup(to path: String) async throws { try await backup(to: path, replacing: false) }
}

public struct MetadataTotals: Hashable, Sendable {
    public let objectCount: Int64
    public let byteCount: Int64

    public init(objectCount: Int64, byteCount: Int64) {
        self.objectCount = objectCount
        self.byteCount = byteCount
    }
}

public enum MetadataError: Error, Hashable, Sendable {
    case noSuchBucket(BucketID)
    case bucketNotEmpty
    case noSuchAccount(String)
    case noSuchKey
    case noSuchUpload
    /// A ``WriteCondition`` does not hold.
    case preconditionFailed
    /// A version is locked against deletion.
    case protected
    /// Something with that name exists already.
    case conflict(detail: String)
    /// The disk under the database is full. Reads go on.
    case diskFull
    /// A row does not have the form that it must have.
    case damaged(detail: String)
    /// Another process has the database open.
    case locked(path: String)
    /// A restore was broken off when the old database had gone and the new one had not come: it must be repeated.
    case restoreUnfinished(path: String)
    /// The database was written by a newer version of the program, or is not one of ours.
    case unknownSchema(path: String, detail: String)
    /// The database said no; `detail` is what it said.
    case failure(detail: String)
    case closed

    /// Whether the database is well, and what was asked of it cannot be: nothing has happened then.
    public var isRefusal: Bool {
        switch self {
        case .noSuchBucket, .bucketNotEmpty, .noSuchAccount, .noSuchKey, .noSuchUpload, .preconditionFailed, .protected, .conflict: true
        case .diskFull, .damaged, .locked, .restoreUnfinished, .unknownSchema, .failure, .closed: false
        }
    }
}
