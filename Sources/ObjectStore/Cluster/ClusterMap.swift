internal import Core
internal import ErasureCoding
public import Placement
import Synchronization

/// A fragment of a chunk, and a node that should have it.
struct Home: Hashable, Sendable {
    let fragment: FragmentID
    let node: NodeID
}

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

    // MARK: Homes

    /// Every fragment that there should be of a chunk, and the node that a layout gives it to: nil where there are too few.
    func slots(of chunk: ChunkID, _ storageClass: StorageClass, in layout: Layout) -> [(fragment: FragmentID, node: NodeID?)] {
        let nodes = nodes(of: partitions.partition(of: chunk), storageClass, in: layout)
        let isCoded = storageClass.fragmentNumbers.count > 1
        return nodes.enumerated().map { (FragmentID(chunk: chunk, number: isCoded ? UInt8($0) : 0), $1) }
    }

    /// The nodes that hold a partition of a class: of an erasure code by the number of the fragment, nil where there are too few.
    func nodes(of partition: Int, _ storageClass: StorageClass, in layout: Layout) -> [NodeID?] {
        switch storageClass {
        case .replicated: return layout.nodes(of: partition)
        case .copies(let count):
            let nodes = layout.nodes(of: partition)
            return Array((count <= nodes.count ? nodes : nodes + layout.successors(of: partition)).prefix(count))
        case .coded(let code): return layout.nodes(of: partition, codedWidth: code.width)
        }
    }

    /// The nodes that should hold a chunk in a layout, each with its fragment. A node has one of them at most.
    func homes(of chunk: ChunkID, _ storageClass: StorageClass, in layout: Layout) -> [Home] {
        slots(of: chunk, storageClass, in: layout).compactMap { slot in slot.node.map { Home(fragment: slot.fragment, node: $0) } }
    }

    /// Fragments of a chunk that can be lost before it is.
    func tolerance(of storageClass: StorageClass, in layout: Layout) -> Int {
        switch storageClass {
        case .replicated: max(0, layout.replicas - 1)
        case .copies(let count): max(0, min(count, layout.members.count) - 1)
        case .coded(let code): code.parityCount
        }
    }

    /// The nodes that cover for homes that are away, in the order in which they do.
    func substitutes(for chunk: ChunkID, _ storageClass: StorageClass, in layout: Layout) -> [NodeID] {
        let partition = partitions.partition(of: chunk)
        switch storageClass {
        case .replicated: return layout.successors(of: partition)
        case .copies(let count):
            let all = layout.nodes(of: partition) + layout.successors(of: partition)
            return Array(all.dropFirst(count))
        case .coded(let code): return layout.successors(of: partition, codedWidth: code.width)
        }
    }

    /// The nodes that should hold a fragment, and those that may hold it in their place, best first: those where the current
    /// layout has it or will have it, those that cover for its own, and the other members.
    func places(of fragment: FragmentID, _ storageClass: StorageClass, layoutVersion: Int) -> (nodes: [NodeID], others: [NodeID]) {
        let current = current
        let layout = layout(version: layoutVersion) ?? current
        var seen: Set<NodeID> = []
        func homes(in layout: Layout) -> [NodeID] {
            self.homes(of: fragment.chunk, storageClass, in: layout).filter { $0.fragment == fragment }.map(\.node)
        }
        func fresh(_ nodes: [NodeID]) -> [NodeID] { nodes.filter { seen.insert($0).inserted } }
        let nodes = fresh(homes(in: layout))
        var others: [NodeID] = []
        let inUse = layout.version == current.version ? [layout] : [layout, current]
        if inUse.count > 1 { others += fresh(homes(in: current)) }
        for layout in inUse { others += fresh(substitutes(for: fragment.chunk, storageClass, in: layout)) }
        for layout in inUse { others += fresh(self.homes(of: fragment.chunk, storageClass, in: layout).map(\.node)) }
        return (nodes, others)
    }
}
