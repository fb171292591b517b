internal import ChunkTransport
internal import Core
internal import HTTPEdge
internal import ObjectStore

/// The answer to `GET /cluster`.
struct ClusterDocument: Encodable {
    struct Node: Encodable {
        let id: String
        let address: String
        let zone: String
        let weight: Double
        let state: String
        let version: String
        let capacityBytes: Int64
        let availableBytes: Int64
        let usedBytes: Int64
        let fragmentCount: Int64
        let quarantinedCount: Int64
        let disks: [Disk]
        let lastSeenAt: String?

        struct Disk: Encodable {
            let path: String
            let capacityBytes: Int64
            let availableBytes: Int64
            let readErrors: Int64
            let writeErrors: Int64
            let state: String

            init(_ disk: DiskHealth) {
                path = disk.path
                capacityBytes = disk.capacityBytes
                availableBytes = disk.availableBytes
                readErrors = disk.readErrors
                writeErrors = disk.writeErrors
                state = disk.state.rawValue
            }
        }

        private enum CodingKeys: CodingKey {
            case id, address, zone, weight, state, version, capacityBytes, availableBytes, usedBytes, fragmentCount, quarantinedCount,
                disks, lastSeenAt
        }

        /// Every member is always there, null for a node that was never seen.
        func encode(to encoder: any Encoder) throws {
            var container = encoder.container(keyedBy: CodingKeys.self)
            try container.encode(id, forKey: .id)
            try container.encode(address, forKey: .address)
            try container.encode(zone, forKey: .zone)
            try container.encode(weight, forKey: .weight)
            try container.encode(state, forKey: .state)
            try container.encode(version, forKey: .version)
            try container.encode(capacityBytes, forKey: .capacityBytes)
            try container.encode(availableBytes, forKey: .availableBytes)
            try container.encode(usedBytes, forKey: .usedBytes)
            try container.encode(fragmentCount, forKey: .fragmentCount)
            try container.encode(quarantinedCount, forKey: .quarantinedCount)
            try container.encode(disks, forKey: .disks)
            try container.encode(lastSeenAt, forKey: .lastSeenAt)
        }
    }

    struct Layout: Encodable {
        let version: Int
        let partitionCount: Int
        let replicas: Int
        let writeQuorum: Int
        let storageClass: String
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
    let rebalance: Rebalance?
    let reencodings: [ReencodingDocument]
    let backgroundPaused: Bool
    let metadataSnapshotAt: String?

    struct Rebalance: Encodable {
        let toVersion: Int
        let blobsLeft: Int64
        let bytesLeft: Int64
        let movedBytes: Int64
        let bytesPerSecond: Int64
        let secondsLeft: Int64?

        private enum CodingKeys: CodingKey {
            case toVersion, blobsLeft, bytesLeft, movedBytes, bytesPerSecond, secondsLeft
        }

        /// Every member is always there; `secondsLeft` is null while nothing moves.
        func encode(to encoder: any Encoder) throws {
            var container = encoder.container(keyedBy: CodingKeys.self)
            try container.encode(toVersion, forKey: .toVersion)
            try container.encode(blobsLeft, forKey: .blobsLeft)
            try container.encode(bytesLeft, forKey: .bytesLeft)
            try container.encode(movedBytes, forKey: .movedBytes)
            try container.encode(bytesPerSecond, forKey: .bytesPerSecond)
            try container.encode(secondsLeft, forKey: .secondsLeft)
        }
    }

    private enum CodingKeys: CodingKey {
        case clusterID, nodes, layout, objects, repairQueueLength, rebalance, reencodings, backgroundPaused, metadataSnapshotAt
    }

    /// Every member is always there; `rebalance` is null when nothing moves, `metadataSnapshotAt` when there is no snapshot.
    func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(clusterID, forKey: .clusterID)
        try container.encode(nodes, forKey: .nodes)
        try container.encode(layout, forKey: .layout)
        try container.encode(objects, forKey: .objects)
        try container.encode(repairQueueLength, forKey: .repairQueueLength)
        try container.encode(rebalance, forKey: .rebalance)
        try container.encode(reencodings, forKey: .reencodings)
        try container.encode(backgroundPaused, forKey: .backgroundPaused)
        try container.encode(metadataSnapshotAt, forKey: .metadataSnapshotAt)
    }

    init(_ status: ClusterStatus) {
        clusterID = status.cluster.description
        nodes = status.nodes.map { node in
            Node(
                id: node.id.description, address: node.address, zone: node.zone, weight: node.weight, state: node.state.rawValue,
                version: node.version,
                capacityBytes: node.capacityBytes, availableBytes: node.availableBytes, usedBytes: node.usedBytes,
                fragmentCount: node.fragmentCount, quarantinedCount: node.quarantinedCount,
                disks: node.disks.map(Node.Disk.init), lastSeenAt: node.lastSeenAt.map { CalendarDate($0).internetText })
        }
        layout = Layout(
            version: status.layoutVersion, partitionCount: status.partitionCount, replicas: status.replicas,
            writeQuorum: status.writeQuorum,
            storageClass: status.storageClass)
        objects = Objects(count: status.objectCount, bytes: status.byteCount)
        repairQueueLength = status.repairQueueLength
        rebalance = status.rebalance.map {
            Rebalance(
                toVersion: $0.toVersion, blobsLeft: $0.blobsLeft, bytesLeft: $0.bytesLeft, movedBytes: $0.movedBytes,
                bytesPerSecond: $0.bytesPerSecond, secondsLeft: $0.secondsLeft)
        }
        reencodings = status.reencodings.map(ReencodingDocument.init)
        backgroundPaused = status.isBackgroundPaused
        metadataSnapshotAt = status.metadataSnapshotAt.map { CalendarDate($0).internetText }
    }
}
