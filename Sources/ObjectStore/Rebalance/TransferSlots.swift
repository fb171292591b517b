package import Core

/// How many fragments are on their way to each node: a few at a time, so that one whose disk hangs keeps nobody else from theirs, and
/// as many in all as there are nodes for.
package struct TransferSlots: Sendable {
    private let perNode: Int
    private let total: Int
    private var running: [NodeID: Int] = [:]
    package private(set) var runningCount = 0

    /// - Parameters:
    ///   - perNode: at most, to one node.
    ///   - total: at most, to all together.
    package init(perNode: Int, total: Int) {
        precondition(perNode > 0 && total > 0)
        self.perNode = perNode
        self.total = total
    }

    package var isFull: Bool { runningCount >= total }

    package func hasRoom(for node: NodeID) -> Bool { !isFull && running[node, default: 0] < perNode }

    /// - Precondition: there is room.
    package mutating func begin(_ node: NodeID) {
        precondition(hasRoom(for: node))
        running[node, default: 0] += 1
        runningCount += 1
    }

    package mutating func end(_ node: NodeID) {
        guard let count = running[node] else { preconditionFailure("more transfers ended than began") }
        running[node] = count == 1 ? nil : count - 1
        runningCount -= 1
    }
}
