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

    /// The nodes that should hold `chunk`, and those that cover for them, best first.
    func places(of chunk: ChunkID, layoutVersion: Int) -> (nodes: [NodeID], successors: [NodeID]) {
        let partition = partitions.partition(of: chunk)
        guard let layout = layouts.withLock({ $0[layoutVersion] }) else { return places(of: chunk, in: current) }
        return (layout.nodes(of: partition), layout.successors(of: partition))
    }

    private func places(of chunk: ChunkID, in layout: Layout) -> (nodes: [NodeID], successors: [NodeID]) {
        let partition = partitions.partition(of: chunk)
        return (layout.nodes(of: partition), layout.successors(of: partition))
    }
}
