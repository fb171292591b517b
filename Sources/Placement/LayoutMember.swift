public import Core

/// A storage node's part in a layout.
public struct LayoutMember: Hashable, Sendable {
    public let node: NodeID
    /// Its share relative to the others'; more than 0.
    public let weight: Double
    /// Its failure domain; empty when none was named.
    public let zone: String

    public init(node: NodeID, weight: Double = 1, zone: String = "") {
        self.node = node
        self.weight = weight
        self.zone = zone
    }
}
