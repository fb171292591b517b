public import Core

/// Why metadata were not rebuilt. Nothing was changed.
public enum RebuildError: Error, Hashable, Sendable, CustomStringConvertible {
    /// A node cannot be asked, now.
    case notReady(address: String, detail: String)
    /// A node has never been of a cluster, so it has nothing.
    case noCluster(address: String)
    /// The nodes are not all of one cluster.
    case severalClusters(address: String, ClusterID, other: ClusterID)
    case sameNode(NodeID, addresses: [String])
    /// Members of the cluster, as a snapshot knows them, were not named: what only they have would be taken for deleted.
    case nodesNotNamed([String])
    /// Files could not be written or read.
    case fileFailure(detail: String)

    public var description: String {
        switch self {
        case .notReady(let address, let detail): "storage node \(address) did not answer: \(detail)"
        case .noCluster(let address): "storage node \(address) belongs to no cluster: it has nothing to rebuild from"
        case .severalClusters(let address, let cluster, let other):
            "storage node \(address) belongs to cluster \(other), those named before it to cluster \(cluster)"
        case .sameNode(let id, let addresses): "storage nodes \(addresses.joined(separator: " and ")) are the same node, \(id)"
        case .nodesNotNamed(let nodes):
            "storage nodes of the cluster were not named: \(nodes.joined(separator: ", ")); --partial does without them"
        case .fileFailure(let detail): detail
        }
    }
}
