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

/// How a bucket's objects are stored.
package struct BucketDescription: Decodable, Sendable {
    package let name: String
    /// nil for the cluster's default.
    package let storageClass: String?
    /// nil when nothing is being stored anew.
    package let reencoding: ReencodingDescription?
}

/// One page of the list of buckets.
package struct BucketPage: Decodable, Sendable {
    package let buckets: [BucketDescription]
    /// nil on the last page.
    package let nextCursor: String?
}

/// How far the objects of a bucket have been brought to its class.
package struct ReencodingDescription: Codable, Sendable {
    package let bucket: String
    package let storageClass: String
    package let objectCount: Int64
    package let examinedCount: Int64
    package let reencodedCount: Int64
    package let reencodedBytes: Int64
    package let failedCount: Int64
    /// Over the last minute.
    package let bytesPerSecond: Int64

    /// For people.
    var line: String {
        var line = "storing \(bucket.printable) anew as \(storageClass.printable): \(examinedCount) of \(objectCount) objects looked at, "
        line += "\(reencodedCount) (\(formatBytes(reencodedBytes))) written"
        if bytesPerSecond > 0 { line += ", \(formatBytes(bytesPerSecond))/s" }
        if failedCount > 0 { line += ", \(failedCount) to be tried again" }
        return line
    }
}

/// The body of an order that sets how a bucket's objects are stored.
struct StorageClassOrder: Encodable {
    /// Or `default` for the cluster's.
    let storageClass: String
    /// Left out unless it is true.
    let reencode: Bool?
}
