/// A change of a node's part in the cluster.
package enum NodeChange: Hashable, Sendable {
    case drain
    case remove
    case restore
    case setWeight(Double)

    /// The last component of the path at which it is ordered.
    var resource: String {
        switch self {
        case .drain: "drain"
        case .remove: "remove"
        case .restore: "restore"
        case .setWeight: "weight"
        }
    }

    var weight: Double? {
        if case .setWeight(let weight) = self { weight } else { nil }
    }
}

/// The body of an order that changes a node's part.
struct NodeChangeOrder: Encodable {
    /// Left out unless it is true.
    let force: Bool?
    let weight: Double?

    init(_ change: NodeChange, force: Bool) {
        self.force = force ? true : nil
        weight = change.weight
    }
}

/// The body of a question for what a change would move: exactly one member.
struct LayoutPlanQuestion: Encodable {
    struct Weight: Encodable {
        let node: String
        let weight: Double
    }

    private(set) var add: String?
    private(set) var drain: String?
    private(set) var remove: String?
    private(set) var restore: String?
    private(set) var setWeight: Weight?

    /// - Parameter address: `host:port` of a node that would be added.
    init(add address: String) { add = address }

    init(_ change: NodeChange, of node: String) {
        switch change {
        case .drain: drain = node
        case .remove: remove = node
        case .restore: restore = node
        case .setWeight(let weight): setWeight = Weight(node: node, weight: weight)
        }
    }
}

/// The body of an order that adds a node.
struct AddNodeOrder: Encodable {
    /// `host:port`
    let address: String
}
