/// A node's part in a layout.
package struct LayoutMember: Decodable, Sendable {
    package let node: String
    package let weight: Double
    package let zone: String
    /// Copies of partitions.
    package let partitions: Int
}

/// Which nodes hold how much.
package struct LayoutDescription: Decodable, Sendable {
    package let version: Int
    package let partitionCount: Int
    package let replicas: Int
    package let members: [LayoutMember]
}

/// What a change of the layout moves, whether it was made or only planned.
package struct LayoutPlanDescription: Decodable, Sendable {
    package let fromVersion: Int
    package let toVersion: Int
    /// Copies of partitions that get another node.
    package let movedPartitions: Int
    /// The fewest that any change to the same members could move.
    package let leastPartitions: Int
    /// Bytes that are copied between nodes, estimated.
    package let movedBytes: Int64
    package let members: [LayoutMember]
    /// Why the change is not made unless it is forced; nil when it is safe.
    package let refusal: String?
}

/// The answer to a node that was added.
package struct AddedNode: Decodable, Sendable {
    package let node: String
}
