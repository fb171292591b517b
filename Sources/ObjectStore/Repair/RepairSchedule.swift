package import Core
package import Metadata

/// Which repairs are under way and which is the next: a pure value, fed with pages of the queue.
///
/// What waits for a node that has all that it can take is passed over, so that one node that is slow, or hangs, holds up its own repairs only.
package struct RepairSchedule: Sendable {
    private var slots: TransferSlots
    private var running: Set<RepairRecord.Key> = []
    /// Most urgent first.
    private var waiting: [RepairRecord] = []
    /// Nodes of which all that is due is waiting or under way.
    private var exhausted: Set<NodeID> = []

    package init(slots: TransferSlots) { self.slots = slots }

    package var isIdle: Bool { running.isEmpty && waiting.isEmpty }
    package var runningCount: Int { running.count }

    /// Takes the most urgent repair whose node has room.
    package mutating func next() -> RepairRecord? {
        guard let index = waiting.firstIndex(where: { slots.hasRoom(for: $0.node) }) else { return nil }
        let repair = waiting.remove(at: index)
        slots.begin(repair.node)
        running.insert(repair.key)
        return repair
    }

    package mutating func ended(_ repair: RepairRecord) {
        slots.end(repair.node)
        running.remove(repair.key)
    }

    /// Nodes for which more of the queue is wanted: those that could begin something and of which nothing is known to wait.
    package func nodesToAsk(among nodes: [NodeID]) -> [NodeID] {
        nodes.filter { slots.hasRoom(for: $0) && !exhausted.contains($0) }
    }

    /// Takes what the queue has for `nodes`.
    /// - Parameters:
    ///   - due: most urgent first, what is under way included.
    ///   - isAll: whether there is no more.
    package mutating func add(_ due: [RepairRecord], for nodes: [NodeID], isAll: Bool) {
        let asked = Set(nodes)
        waiting.removeAll { asked.contains($0.node) }
        waiting = due.filter { !running.contains($0.key) } + waiting
        if isAll { exhausted.formUnion(asked) }
    }

    /// Something may have come into the queue, or become due, or a node may have come or gone: what waits is looked up again.
    package mutating func lookAgain() {
        waiting = []
        exhausted = []
    }
}

extension RepairRecord {
    /// What tells it from all others.
    package struct Key: Hashable, Sendable {
        let fragment: FragmentID
        let node: NodeID
    }

    package var key: Key { Key(fragment: fragment, node: node) }
}
