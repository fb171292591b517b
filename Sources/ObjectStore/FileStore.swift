public import ChunkTransport
public import Core
public import ErasureCoding
public import Metadata
public import NIOCore

/// What the REST edge needs of the store: files by their fileID. ``ObjectStore`` is the implementation.
///
/// Safe to call from any task. Throws ``StoreError``, or `CancellationError` when the calling task was cancelled.
public protocol FileStore: Sendable {
    /// Whether an upload can be taken at this moment, asked before the client is told to send its body.
    /// - Throws: ``StoreError/notEnoughNodes`` or ``StoreError/shuttingDown``.
    func checkWritable() throws

    /// Stores a file under a fresh fileID. Returns when it is durable and visible; nothing of it is visible before,
    /// and nothing stays when `body` throws (what it threw is thrown on) or the task is cancelled.
    /// - Parameter body: consumed at the rate at which the nodes take it.
    func upload<Body: AsyncSequence & Sendable>(_ description: UploadDescription, body: Body) async throws -> ObjectRecord
    where Body.Element == ByteBuffer

    /// - Returns: nil when there is no such file.
    func file(_ id: FileID) async throws -> ObjectRecord?

    /// A file that is going to be read: its bytes are there as long as they are pinned, though it be deleted, or stored anew, meanwhile.
    /// - Returns: nil when there is no such file.
    func pinnedFile(_ id: FileID) async throws -> (file: ObjectRecord, pinned: PinnedBlobs)?

    /// Reads bytes `range` of an object, verified, in order.
    ///
    /// - Parameters:
    ///   - range: within `0..<object.byteCount`.
    ///   - deliver: takes each run of bytes; the next is not delivered before it returns. What it throws is thrown on.
    func read(_ object: ObjectRecord, range: Range<Int64>, deliver: @escaping @Sendable (ByteBuffer) async throws -> Void) async throws

    /// Files in the order of their fileIDs, which is the order of upload; those after `cursor` only.
    func files(after cursor: FileID?, limit: Int) async throws -> [ObjectRecord]

    /// - Returns: false when there was no such file.
    func deleteFile(_ id: FileID) async throws -> Bool

    func clusterStatus() async throws -> ClusterStatus
}

/// What the client says of a file before its bytes.
public struct UploadDescription: Hashable, Sendable {
    /// The name to give back on download, as the client sent it; it never names anything on our disks.
    public var fileName: String?
    public var contentType: String
    /// How the bytes are to be stored; nil for the cluster's default. Small ones are stored as copies whatever is asked for.
    public var storageClass: StorageClass?

    public init(fileName: String? = nil, contentType: String = "application/octet-stream", storageClass: StorageClass? = nil) {
        self.fileName = fileName
        self.contentType = contentType
        self.storageClass = storageClass
    }
}

/// Why the store did not do what it was asked.
public enum StoreError: Error, Hashable, Sendable {
    /// Fewer nodes can be written to than the write quorum needs. Trying again later can help.
    case notEnoughNodes(available: Int, required: Int)
    /// The storage class that was asked for needs more nodes than the cluster has.
    case storageClassUnavailable(StorageClass, required: Int, available: Int)
    /// A chunk did not reach its write quorum. Nothing became visible. Trying again can help.
    case quorumNotReached(chunk: ChunkID, acknowledged: Int, required: Int, detail: String)
    /// No node could serve the chunk intact at this moment.
    case chunkUnavailable(ChunkID, detail: String)
    /// The nodes, or the metadata database, have no room left.
    case insufficientStorage(detail: String)
    /// The metadata database failed.
    case metadataFailure(detail: String)
    case shuttingDown
}

/// The state of one storage node, as the distributor sees it.
public enum NodeState: String, Sendable, CaseIterable {
    /// Answers and takes new fragments, and its share of what was stored before it came is still on the way. Only in a status:
    /// to all that chooses nodes it is ``up``.
    case joining
    /// Answers.
    case up
    /// Answers, but its disk fails: gets nothing new until the disk works again.
    case failing
    /// Has just failed a call: avoided until it answers again.
    case suspect
    /// Has not answered for a while.
    case down
    /// Answers, and is being emptied.
    case draining
    /// Is no member any more.
    case left
}

public struct NodeStatus: Hashable, Sendable {
    public let id: NodeID
    public let address: String
    public let zone: String
    /// Its share relative to the others'.
    public let weight: Double
    public internal(set) var state: NodeState
    /// Whether it has left for being away too long: it is a member again as soon as it answers.
    public let isLost: Bool
    public let version: String
    public let capacityBytes: Int64
    public let availableBytes: Int64
    public let usedBytes: Int64
    public let fragmentCount: Int64
    public let quarantinedCount: Int64
    /// Its disks, as it last described them.
    public let disks: [DiskHealth]
    /// When it last answered; nil if it has not since this distributor started.
    public let lastSeenAt: Timestamp?

    public init(
        id: NodeID, address: String, zone: String, weight: Double = 1, state: NodeState, isLost: Bool = false, version: String,
        capacityBytes: Int64,
        availableBytes: Int64,
        usedBytes: Int64, fragmentCount: Int64, quarantinedCount: Int64, disks: [DiskHealth] = [], lastSeenAt: Timestamp?
    ) {
        self.id = id
        self.address = address
        self.zone = zone
        self.weight = weight
        self.state = state
        self.isLost = isLost
        self.version = version
        self.capacityBytes = capacityBytes
        self.availableBytes = availableBytes
        self.usedBytes = usedBytes
        self.fragmentCount = fragmentCount
        self.quarantinedCount = quarantinedCount
        self.disks = disks
        self.lastSeenAt = lastSeenAt
    }
}

public struct ClusterStatus: Hashable, Sendable {
    public let cluster: ClusterID
    public let nodes: [NodeStatus]
    public let layoutVersion: Int
    public let partitionCount: Int
    public let replicas: Int
    public let writeQuorum: Int
    /// How objects are stored that ask for nothing.
    public let storageClass: String
    public let objectCount: Int64
    /// Bytes of content of all objects, copies not counted.
    public let byteCount: Int64
    /// Fragments waiting to be restored.
    public let repairQueueLength: Int
    /// nil when every fragment is where the current layout wants it.
    public let rebalance: RebalanceStatus?
    /// Buckets whose objects are being stored anew.
    public let reencodings: [ReencodingStatus]
    /// Whether movement in the background is stopped.
    public let isBackgroundPaused: Bool
    /// Until when a snapshot of the metadata, kept in the cluster, has everything; nil when there is none.
    public let metadataSnapshotAt: Timestamp?

    public init(
        cluster: ClusterID, nodes: [NodeStatus], layoutVersion: Int, partitionCount: Int, replicas: Int, writeQuorum: Int,
        storageClass: String = "replicated", objectCount: Int64, byteCount: Int64, repairQueueLength: Int,
        rebalance: RebalanceStatus? = nil, reencodings: [ReencodingStatus] = [], isBackgroundPaused: Bool = false,
        metadataSnapshotAt: Timestamp? = nil
    ) {
        self.cluster = cluster
        self.nodes = nodes
        self.layoutVersion = layoutVersion
        self.partitionCount = partitionCount
        self.replicas = replicas
        self.writeQuorum = writeQuorum
        self.storageClass = storageClass
        self.objectCount = objectCount
        self.byteCount = byteCount
        self.repairQueueLength = repairQueueLength
        self.rebalance = rebalance
        self.reencodings = reencodings
        self.isBackgroundPaused = isBackgroundPaused
        self.metadataSnapshotAt = metadataSnapshotAt
    }
}
