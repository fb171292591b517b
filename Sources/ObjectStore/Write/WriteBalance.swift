package import Core
package import Placement
import Synchronization

/// What each node has been given to store, and from it the better of several names for a new blob.
///
/// Where a chunk goes is computed from its name alone, and a blob's name is random: the choice between a few of them evens
/// out what hashing leaves uneven (Mitzenmacher, "The power of two choices in randomized load balancing", 2001). It counts
/// from the layout's beginning, so a new node gets its share of what is new and no more. Safe to use from any thread.
package final class WriteBalance: Sendable {
    /// Names drawn for a blob.
    package static let candidateCount = 4

    private struct State {
        var layoutVersion = 0
        var byteCounts: [NodeID: Int] = [:]
    }

    private let state = Mutex(State())

    package init() {}

    /// Counts bytes that a node has stored.
    package func add(_ byteCount: Int, to node: NodeID) { state.withLock { $0.byteCounts[node, default: 0] += byteCount } }

    /// The one of `candidates` whose first chunk goes to the nodes that were given least.
    /// - Precondition: there is one.
    package func best(of candidates: [BlobID], layout: Layout, partitions: PartitionMap) -> BlobID {
        let byteCounts = state.withLock { state in
            if state.layoutVersion != layout.version { state = State(layoutVersion: layout.version) }
            return state.byteCounts
        }
        guard !byteCounts.isEmpty else { return candidates[0] }
        let weights = Dictionary(uniqueKeysWithValues: layout.members.map { ($0.node, $0.weight) })
        func load(_ blob: BlobID) -> Double {
            let partition = partitions.partition(of: ChunkID(blob: blob, index: 0))
            return layout.nodes(of: partition).reduce(0) { $0 + Double(byteCounts[$1] ?? 0) / (weights[$1] ?? 1) }
        }
        let loads = candidates.map(load)
        return candidates[loads.indices.min { loads[$0] < loads[$1] } ?? 0]
    }
}
