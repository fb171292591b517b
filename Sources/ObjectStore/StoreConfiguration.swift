internal import Core
public import ErasureCoding

/// How an ``ObjectStore`` works. Every limit has its name and unit here.
public struct StoreConfiguration: Sendable {
    /// Bytes of a chunk; the last of a blob may be shorter. A whole number of blocks.
    public var chunkSize = 8 * 1024 * 1024
    /// Bytes that travel together; divides `chunkSize` or is larger.
    public var pieceSize = 256 * 1024
    /// Copies of every chunk, where there are that many nodes.
    public var replicas = 3
    /// Copies that must be durable before a chunk counts as written.
    public var writeQuorum = 2
    /// How objects are stored that ask for nothing; nil to choose by the number of nodes (``storageClass(memberCount:)``).
    public var storageClass: StorageClass?
    /// Bytes up to which an object is stored as copies even where an erasure code is asked for: it would be cut too small.
    public var smallObjectLimit = 256 * 1024

    /// Bytes of all uploads that are held at once, and of each. What a node has taken, or gRPC for it, no longer counts.
    public var uploadMemory = 32 * 1024 * 1024
    public var memoryPerUpload = 4 * 1024 * 1024
    /// Pieces that wait for each node: what a fast client may be ahead of the slowest node.
    public var piecesInFlight = 4
    /// Chunks whose last bytes are sent and whose quorum is still awaited, while the next one is filled.
    public var chunksAwaitingQuorum = 2
    /// How long a node may hold up an upload, as long as a quorum keeps up without it; and how long if it has done so before.
    public var laggardPatience: Duration = .seconds(2)
    public var laggardPatienceAgain: Duration = .milliseconds(100)
    /// How long, after the quorum of the last chunk, an upload waits for the remaining copies.
    public var stragglerPatience: Duration = .milliseconds(500)

    /// Chunks read ahead of the one that is being sent.
    public var chunksReadAhead = 1
    /// Pieces buffered of each chunk that is being read.
    public var piecesReadAhead = 2
    /// How often all nodes are asked before a chunk counts as unavailable, and the pause between.
    public var readRounds = 3
    public var readRoundPause: Duration = .milliseconds(200)

    /// Time between two health checks of a node that answers.
    public var probeInterval: Duration = .seconds(1)
    /// Time between two health checks of a node that does not.
    public var failedProbeInterval: Duration = .milliseconds(250)
    /// Time between two health checks of a node that is no member any more.
    public var absentProbeInterval: Duration = .seconds(5)
    /// How long a node may be silent before it is down rather than suspect.
    public var downAfter: Duration = .seconds(3)

    /// How long a member may be down before its fragments are restored on other nodes.
    public var nodeGrace: Duration = .seconds(600)
    /// Bytes a second that move to each node, when the layout changes or something is repaired; 0 for no limit. While clients are
    /// served, a sixteenth.
    public var rebalanceBytesPerSecond = 1024 * 1024 * 1024
    /// Fragments that move to one node at the same time because of a new layout, and as many because of repairs; and to all nodes
    /// together. So the work goes on on all nodes at once, however many there are.
    public var transfersPerNode = 4
    public var transfersAtOnce = 128

    /// Pause before a failed repair is tried again; doubles with each failure.
    public var repairBackoff: Duration = .seconds(1)
    public var repairBackoffLimit: Duration = .seconds(600)
    /// How often the repair queue and the garbage list are looked at when nothing calls for it.
    public var backgroundInterval: Duration = .seconds(5)

    /// How often nodes that have found corrupt fragments are asked which.
    public var quarantineInterval: Duration = .seconds(2)

    /// Time between two comparisons of what each node has with what it should have; the first comes right after the start.
    public var sweepInterval: Duration = .seconds(6 * 3600)
    /// How old a blob from this run must be before the sweep may take it for an orphan.
    public var orphanGrace: Duration = .seconds(3600)
    /// How long after a restore of the metadata from a backup nothing is removed for being unknown.
    public var restoreGrace: Duration = .seconds(7 * 24 * 3600)

    /// What the rules of buckets count as a day.
    public var lifecycleDay: Duration = .seconds(24 * 3600)

    /// Time between two snapshots of the metadata that are kept in the cluster itself; nil for none. One is left out when nothing has
    /// changed since the last.
    public var snapshotInterval: Duration?
    /// Snapshots that are kept; older ones are deleted.
    public var snapshotsKept = 3
    /// Where the metadata are copied to before they are stored; nothing stays there. Room for the metadata once more is needed.
    public var snapshotDirectory = ""

    public init() {}

    /// Of the code that is chosen by the number of nodes.
    private static let dataCount = 4

    /// How objects are stored that ask for nothing.
    ///
    /// An erasure code that survives as many losses as the copies would is taken as soon as there are so many nodes that as many
    /// can be lost for good and everything still be restored: `4 + 2 * (replicas - 1)`.
    public func storageClass(memberCount: Int) -> StorageClass {
        if let storageClass {
            // The copies that are kept of everything.
            return storageClass == .copies(replicas) ? .replicated : storageClass
        }
        let losses = replicas - 1
        guard memberCount >= Self.dataCount + 2 * losses, let code = ErasureCode(dataCount: Self.dataCount, parityCount: losses) else {
            return .replicated
        }
        return .coded(code)
    }

    /// Fragments of a chunk, of the erasure codes that a layout of so many members has to have places for.
    func codedWidths(memberCount: Int) -> Set<Int> {
        guard case .coded(let code) = storageClass(memberCount: memberCount) else { return [] }
        return [code.width]
    }
}
