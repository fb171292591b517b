public import Core
public import ErasureCoding

/// What operators and storage nodes ask of the cluster as a whole. ``ObjectStore`` is the implementation.
///
/// Changes are durable when they return; the data follow in the background. Safe to call from any task. Throws
/// ``AdministrationError``, ``StoreError``, or `CancellationError`.
public protocol ClusterAdministration: Sendable {
    func clusterStatus() async throws -> ClusterStatus
    func layoutStatus() async throws -> LayoutStatus

    /// What a change would move, without making it.
    func plan(_ change: LayoutChange) async throws -> LayoutPlan
    /// What making the storage node at `address` (`host:port`) a member would move. The node is asked who it is and stays as it is.
    func planAddition(at address: String) async throws -> LayoutPlan
    /// Makes a change: the next layout is in force when this returns, and fragments begin to move.
    /// - Parameter force: does it even where fragments would be lost, or the rest is too small.
    func apply(_ change: LayoutChange, force: Bool) async throws -> LayoutPlan

    /// Makes the storage node that answers at `address` (`host:port`) a member.
    /// - Returns: its name. A member already, it stays one.
    func addNode(at address: String) async throws -> NodeID
    /// A storage node asks to become a member, or says that it still is and where it is reached.
    func join(_ request: JoinRequest) async throws -> JoinAnswer

    /// Buckets in byte order of their names, those after `name` only.
    func buckets(after name: String?, limit: Int) async throws -> [BucketStatus]
    /// Sets how objects of a bucket are stored that ask for nothing.
    /// - Parameters:
    ///   - storageClass: nil for the cluster's default.
    ///   - reencode: whether to store what is there anew, in the background. Without it, what is there stays as it is, and an order
    ///     that was given before ends.
    func setStorageClass(_ storageClass: StorageClass?, ofBucket name: String, reencode: Bool) async throws -> BucketStatus

    /// Stops or resumes all movement of fragments in the background: rebalancing, repair, storing anew, and the removal of lost nodes.
    func setBackgroundPaused(_ isPaused: Bool) async throws
}

/// A change of who holds what.
public enum LayoutChange: Hashable, Sendable {
    /// Moves everything off a node that still works; it has left when it is empty.
    case drain(NodeID)
    /// Takes a node out at once; its fragments are restored from the other copies.
    case remove(NodeID)
    /// Gives a node a larger or smaller share, relative to the others'. More than 0.
    case setWeight(NodeID, Double)
    /// Takes a draining node, or one that was removed and answers again, back in.
    case restore(NodeID)

    public static let largestWeight = 1e6

    /// Whether a node can have the weight: more than 0, at most ``largestWeight``.
    public static func acceptsWeight(_ weight: Double) -> Bool { weight > 0 && weight <= largestWeight }
}

/// What a change of layout moves.
public struct LayoutPlan: Hashable, Sendable {
    public let fromVersion: Int
    public let toVersion: Int
    /// Pairs of partition and node that are new.
    public let movedPartitions: Int
    /// The least that any change to the same members could move.
    public let leastPartitions: Int
    /// Bytes of fragments that will be copied between nodes, estimated from the bytes stored.
    public let movedBytes: Int64
    public let members: [LayoutMemberStatus]
    /// Why the change is not made unless it is forced; nil when it is safe. A plan that was carried out has none.
    public var refusal: String?

    public init(
        fromVersion: Int, toVersion: Int, movedPartitions: Int, leastPartitions: Int, movedBytes: Int64, members: [LayoutMemberStatus],
        refusal: String? = nil
    ) {
        self.fromVersion = fromVersion
        self.toVersion = toVersion
        self.movedPartitions = movedPartitions
        self.leastPartitions = leastPartitions
        self.movedBytes = movedBytes
        self.members = members
        self.refusal = refusal
    }
}

public struct LayoutMemberStatus: Hashable, Sendable {
    public let node: NodeID
    public let weight: Double
    public let zone: String
    /// Copies of partitions that the layout gives it.
    public let partitions: Int
}

public struct LayoutStatus: Hashable, Sendable {
    public let version: Int
    public let partitionCount: Int
    public let replicas: Int
    public let members: [LayoutMemberStatus]
}

/// How far fragments have moved to where the current layout wants them.
public struct RebalanceStatus: Hashable, Sendable {
    public let toVersion: Int
    /// Blobs that are still where an older layout has them, and the bytes of fragments that remain to be copied (estimated).
    public let blobsLeft: Int64
    public let bytesLeft: Int64
    /// Copied between nodes since this distributor started.
    public let movedBytes: Int64
    /// Over the last minute; 0 while nothing moves.
    public let bytesPerSecond: Int64

    /// nil when nothing moves.
    public var secondsLeft: Int64? { bytesPerSecond > 0 ? bytesLeft / bytesPerSecond : nil }
}

/// How a bucket's objects are stored.
public struct BucketStatus: Hashable, Sendable {
    public let name: String
    /// Of objects that ask for none; nil for the cluster's default.
    public let storageClass: StorageClass?
    /// nil when nothing is being stored anew.
    public let reencoding: ReencodingStatus?

    public init(name: String, storageClass: StorageClass?, reencoding: ReencodingStatus?) {
        self.name = name
        self.storageClass = storageClass
        self.reencoding = reencoding
    }
}

/// How far the objects of a bucket have been brought to its class. Versions of objects are counted.
public struct ReencodingStatus: Hashable, Sendable {
    public let bucket: String
    /// What they are brought to.
    public let storageClass: StorageClass
    /// Latest versions when the order was given.
    public let objectCount: Int64
    public let examinedCount: Int64
    /// Those that did not have the class, and their bytes of content.
    public let reencodedCount: Int64
    public let reencodedBytes: Int64
    /// Could not be read or written: they are tried again.
    public let failedCount: Int64
    /// Over the last minute; 0 while nothing moves, and where another distributor does it.
    public let bytesPerSecond: Int64

    public init(
        bucket: String, storageClass: StorageClass, objectCount: Int64, examinedCount: Int64, reencodedCount: Int64, reencodedBytes: Int64,
        failedCount: Int64, bytesPerSecond: Int64
    ) {
        self.bucket = bucket
        self.storageClass = storageClass
        self.objectCount = objectCount
        self.examinedCount = examinedCount
        self.reencodedCount = reencodedCount
        self.reencodedBytes = reencodedBytes
        self.failedCount = failedCount
        self.bytesPerSecond = bytesPerSecond
    }
}

public struct JoinRequest: Hashable, Sendable {
    public let node: NodeID
    /// `host:port` under which the distributor, and other nodes, reach it.
    public let address: String
    /// Drawn at every start of the node's process: tells a node from a copy of its data directory.
    public let instance: UInt64

    public init(node: NodeID, address: String, instance: UInt64) {
        self.node = node
        self.address = address
        self.instance = instance
    }
}

public struct JoinAnswer: Hashable, Sendable {
    public let cluster: ClusterID
    public let layoutVersion: Int

    public init(cluster: ClusterID, layoutVersion: Int) {
        self.cluster = cluster
        self.layoutVersion = layoutVersion
    }
}

/// Why the cluster does not do what it was asked.
public enum AdministrationError: Error, Hashable, Sendable {
    case unknownNode(NodeID)
    case unknownBucket(String)
    /// The node cannot be reached at its address, now.
    case unreachable(address: String, detail: String)
    /// The node must not become a member: it is another cluster's, has another secret, or is alive elsewhere under its name.
    case notAdmitted(detail: String)
    /// An operator took the node out of the cluster: it is a member again when an operator says so.
    case removed(NodeID)
    /// The change would lose data or leave too little room; the detail has the numbers. `force` does it all the same.
    case refused(detail: String)
    /// The change makes no sense, whoever forces it.
    case invalid(detail: String)
}
