internal import Core
public import Placement
import Synchronization

/// Where chunks live: all layouts that objects were written under, and which of them new ones are written under.
/// Safe to use from any thread.
public final class ClusterMap: Sendable {
    private let layouts: Mutex<[Int: Layout]>
    private let currentVersion: Mutex<Int>
    public let partitions: PartitionMap

    /// - Parameter layouts: at least one; the greatest version is the current one.
    public init(layouts: [Layout]) {
        precondition(!layouts.isEmpty, "a cluster has a layout")
        let newest = layouts.max { $0.version < $1.version }!
        self.layouts = Mutex(Dictionary(uniqueKeysWithValues: layouts.map { ($0.version, $0) }))
        currentVersion = Mutex(newest.version)
        partitions = PartitionMap(partitionCount: newest.partitionCount)
    }

    public var current: Layout {
        let version = currentVersion.withLock { $0 }
        return layouts.withLock { $0[version]! }
    }

    /// nil when it was never known.
    func layout(version: Int) -> Layout? { layouts.withLock { $0[version] } }

    /// Makes a layout, saved already, the current one.
    func adopt(_ layout: Layout) {
        layouts.withLock { $0[layout.version] = layout }
        currentVersion.withLock { $0 = max($0, layout.version) }
    }

    /// The nodes that should hold `chunk`, and those that may hold it in their place, best first: those where the current
    /// layout has it or will have it, those that cover for its own, and the other members.
    func places(of chunk: ChunkID, layoutVersion: Int) -> (nodes: [NodeID], successors: [NodeID]) {
        let partition = partitions.partition(of: chunk)
        let current = current
        let layout = layout(version: layoutVersion) ?? current
        let nodes = layout.nodes(of: partition)
        if layout.version == current.version { return (nodes, layout.successors(of: partition)) }
        var seen = Set(nodes)
        let others = current.nodes(of: partition) + layout.successors(of: partition) + current.successors(of: partition)
        return (nodes, others.filter { seen.insert($0).inserted })
    }

    /// The nodes that should hold `chunk`.
    func holders(of chunk: ChunkID, in layout: Layout) -> [NodeID] { layout.nodes(of: partitions.partition(of: chunk)) }
}
