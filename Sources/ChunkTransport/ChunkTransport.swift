public import Core
public import ErasureCoding

/// A storage node as everything above sees it, whether it lives in this process or across the network.
///
/// Every method is safe to call from any task and throws ``NodeError`` (or `CancellationError` when the calling task was
/// cancelled), nothing else. Calls have deadlines of their own: a node that does not answer becomes ``NodeError/unreachable``.
public protocol ChunkTransport: Sendable {
    /// Stores a fragment. Returns when it is as durable as the node is set to make it; until then nobody can see it.
    ///
    /// A fragment of the same name is replaced: chunks never change, so both hold the same bytes.
    /// - Parameters:
    ///   - pieces: the payload in order; every piece but the last is a whole number of blocks. Consumed to its end, or
    ///     cancelled when the node fails. When it ends with an error, nothing is stored.
    ///   - descriptor: opaque, at most ``TransportLimits/maximumDescriptorSize`` bytes, kept beside the payload. Asked for when
    ///     `pieces` has come to a good end, and not before.
    func put(_ id: FragmentID, pieces: BoundedQueue<Piece>, descriptor: @escaping @Sendable () -> [UInt8]) async throws -> FragmentInfo

    /// Reads a fragment, verified block by block.
    /// - Parameters:
    ///   - range: bytes of the payload, nil for all. The pieces delivered cover the whole blocks that `range` touches:
    ///     the first begins at `range.lowerBound` rounded down to a block.
    ///   - deliver: called for each piece in order; the next is not read before it returns (a small read-ahead apart).
    ///     What it throws ends the call and is thrown on.
    func get(_ id: FragmentID, range: Range<Int>?, deliver: @escaping @Sendable (Piece) async throws -> Void) async throws -> FragmentInfo

    /// What the fragment was put with beside its payload.
    func descriptor(of id: FragmentID) async throws -> [UInt8]

    /// Removes fragments. Removing what is not there is no error. At most ``TransportLimits/maximumBatch`` at a time.
    func delete(_ ids: [FragmentID]) async throws

    /// - Returns: nil when the node has no (healthy) fragment of that name.
    func stat(_ id: FragmentID) async throws -> FragmentInfo?

    /// Lists what the node stores, a page at a time, in an order of the node's own. What is stored during the whole
    /// listing is listed; what comes or goes meanwhile may or may not be.
    func list(after cursor: ListCursor?, limit: Int) async throws -> FragmentPage

    /// Fragments found corrupt and not yet replaced or deleted: `limit` of them at most.
    func quarantined(limit: Int) async throws -> [FragmentID]

    func information() async throws -> NodeInformation

    /// Makes the node a member of `cluster`, durably; a member already, it only answers.
    /// - Throws: ``NodeError/wrongCluster`` when it belongs to another one.
    func claim(for cluster: ClusterID) async throws -> NodeInformation

    /// Has the node fetch a fragment straight from the first of `sources` that can serve it, replacing what it had.
    func pull(_ id: FragmentID, from sources: [Peer]) async throws -> FragmentInfo

    /// Has the node compute a fragment of an erasure-coded chunk from `code.dataCount` others, which it fetches from the nodes
    /// that have them, replacing what it had. Holds a few hundred KiB of each at a time.
    /// - Parameter sources: other fragments of the chunk; more than are needed are asked where the first fail.
    func reconstruct(_ id: FragmentID, code: ErasureCode, from sources: [FragmentSource]) async throws -> FragmentInfo
}

extension ChunkTransport {
    /// Stores a fragment whose descriptor is known beforehand.
    public func put(_ id: FragmentID, descriptor: [UInt8], pieces: BoundedQueue<Piece>) async throws -> FragmentInfo {
        try await put(id, pieces: pieces) { descriptor }
    }
}

/// Where a fragment of a chunk can be fetched.
public struct FragmentSource: Hashable, Sendable {
    /// Which fragment.
    public let number: UInt8
    /// Nodes that have it, or may have it, best first.
    public let peers: [Peer]

    public init(number: UInt8, peers: [Peer]) {
        self.number = number
        self.peers = peers
    }
}

/// A node that another node can fetch from.
public struct Peer: Hashable, Sendable {
    public let id: NodeID
    /// `host:port` of its gRPC listener; empty for a node of the same process.
    public let address: String

    public init(id: NodeID, address: String) {
        self.id = id
        self.address = address
    }
}

/// Where a listing goes on. Opaque: only the node that made it can read it.
public struct ListCursor: Hashable, Sendable {
    public let value: UInt64
    public init(value: UInt64) { self.value = value }
}

public struct FragmentPage: Sendable {
    public let fragments: [FragmentInfo]
    /// nil when this was the last page.
    public let next: ListCursor?

    public init(fragments: [FragmentInfo], next: ListCursor?) {
        self.fragments = fragments
        self.next = next
    }
}

/// What a node says of itself.
public struct NodeInformation: Hashable, Sendable {
    public var id: NodeID
    /// nil until a cluster has claimed the node.
    public var cluster: ClusterID?
    /// The failure domain that the node was started in; empty when none was named.
    public var zone: String
    /// The version of chunkFlow that the node runs.
    public var version: String
    /// Size of the file system under the data directory, in bytes.
    public var capacityBytes: Int64
    /// Bytes that new fragments can still take.
    public var availableBytes: Int64
    /// Bytes of the data directory that are taken, dead fragments not yet reclaimed included.
    public var usedBytes: Int64
    /// Bytes of payload that can be read.
    public var liveBytes: Int64
    public var fragmentCount: Int64
    /// Fragments found corrupt and not yet replaced.
    public var quarantinedCount: Int64
    /// Drawn at every start: tells the node from a copy of its data directory. 0 when it does not say.
    public var instance: UInt64
    /// Its disks, one for each data directory; empty when it does not say.
    public var disks: [DiskHealth]

    /// Whether a disk is failing, so that nothing new should be put there.
    public var isFailing: Bool { disks.contains { $0.state == .failing } }

    public init(
        id: NodeID, cluster: ClusterID?, zone: String, version: String, capacityBytes: Int64, availableBytes: Int64, usedBytes: Int64,
        liveBytes: Int64, fragmentCount: Int64, quarantinedCount: Int64, instance: UInt64 = 0, disks: [DiskHealth] = []
    ) {
        self.id = id
        self.cluster = cluster
        self.zone = zone
        self.version = version
        self.capacityBytes = capacityBytes
        self.availableBytes = availableBytes
        self.usedBytes = usedBytes
        self.liveBytes = liveBytes
        self.fragmentCount = fragmentCount
        self.quarantinedCount = quarantinedCount
        self.instance = instance
        self.disks = disks
    }
}

public enum TransportLimits {
    /// Bytes of a fragment's descriptor.
    public static let maximumDescriptorSize = 8 * 1024
    /// Identifiers in one call.
    public static let maximumBatch = 1_000
    /// Bytes of a fragment's payload.
    public static let maximumFragmentSize = 256 * 1024 * 1024
}
