internal import Core
internal import HTTPEdge
internal import ObjectStore

/// The answer to `GET /cluster`.
struct ClusterDocument: Encodable {
    struct Node: Encodable {
        let id: String
        let address: String
        let zone: String
        let state: String
        let version: String
        let capacityBytes: Int64
        let availableBytes: Int64
        let usedBytes: Int64
        let fragmentCount: Int64
        let quarantinedCount: Int64
        let lastSeenAt: String?

        private enum CodingKeys: CodingKey {
            case id, address, zone, state, version, capacityBytes, availableBytes, usedBytes, fragmentCount, quarantinedCount, lastSeenAt
        }

        /// Every member is always there, null for a node that was never seen.
        func encode(to encoder: any Encoder) throws {
            var container = encoder.container(keyedBy: CodingKeys.self)
            try container.encode(id, forKey: .id)
            try container.encode(address, forKey: .address)
            try container.encode(zone, forKey: .zone)
            try container.encode(state, forKey: .state)
            try container.encode(version, forKey: .version)
            try container.encode(capacityBytes, forKey: .capacityBytes)
            try container.encode(availableBytes, forKey: .availableBytes)
            try container.encode(usedBytes, forKey: .usedBytes)
            try container.encode(fragmentCount, forKey: .fragmentCount)
            try container.encode(quarantinedCount, forKey: .quarantinedCount)
            try container.encode(lastSeenAt, forKey: .lastSeenAt)
        }
    }

    struct Layout: Encodable {
        let version: Int
        let partitionCount: Int
        let replicas: Int
        let writeQuorum: Int
    }

    struct Objects: Encodable {
        let count: Int64
        let bytes: Int64
    }

    let clusterID: String
    let nodes: [Node]
    let layout: Layout
    let objects: Objects
    let repairQueueLength: Int

    init(_ status: ClusterStatus) {
        clusterID = status.cluster.description
        nodes = status.nodes.map { node in
            Node(
                id: node.id.description, address: node.address, zone: node.zone, state: node.state.rawValue, version: node.version,
                capacityBytes: node.capacityBytes, availableBytes: node.availableBytes, usedBytes: node.usedBytes,
                fragmentCount: node.fragmentCount, quarantinedCount: node.quarantinedCount,
                lastSeenAt: node.lastSeenAt.map { CalendarDate($0).internetText })
        }
        layout = Layout(
            version: status.layoutVersion, partitionCount: status.partitionCount, replicas: status.replicas, writeQuorum: status.writeQuorum
        )
        objects = Objects(count: status.objectCount, bytes: status.byteCount)
        repairQueueLength = status.repairQueueLength
    }
}
