public import Core

/// Why a node did not do what it was asked.
public enum NodeError: Error, Hashable, Sendable {
    /// It has no fragment of that name. Another node may.
    case notFound(FragmentID)
    /// What it has of the fragment fails its checksum. It is quarantined: another node must serve it.
    case corrupt(FragmentID, detail: String)
    /// Its disk is full. Reads and deletions go on.
    case insufficientSpace(detail: String)
    /// Its disk failed.
    case storageFailure(detail: String)
    /// The bytes that arrived do not match the checksums that came with them. Sending them again can help.
    case damagedInTransit(FragmentID)
    /// It could not be reached, hung up, or did not answer in time. Trying again can help.
    case unreachable(address: String, detail: String)
    /// It wants another cluster secret.
    case unauthenticated(address: String)
    /// It does not speak the protocol between servers that this version of the program speaks.
    case incompatible(detail: String)
    /// It belongs to another cluster.
    case wrongCluster(node: NodeID, belongsTo: ClusterID)
    /// None of the peers that it was told to fetch from could serve the fragment.
    case noSource(FragmentID, detail: String)
    /// It is shutting down. Trying again elsewhere can help.
    case shuttingDown
    /// The call made no sense: a mistake of ours.
    case invalid(detail: String)

    /// Whether the node itself is in doubt, so that other calls should avoid it for now.
    public var concernsWholeNode: Bool {
        switch self {
        case .unreachable, .shuttingDown, .storageFailure, .unauthenticated, .incompatible, .wrongCluster: true
        case .notFound, .corrupt, .insufficientSpace, .damagedInTransit, .noSource, .invalid: false
        }
    }
}
