internal import ErasureCoding
public import HTTPEdge
internal import NIOHTTP1
internal import ObjectStore

/// The problem that stands for an error of the store: the one place that decides how clients see it.
///
/// Hand it to the ``HTTPEdge/Router``. Nil for errors that are not the store's.
public func storeProblem(for error: any Error) -> Problem? {
    guard let error = error as? StoreError else { return nil }
    let retrySoon = [Problem.Field("Retry-After", "5")]
    switch error {
    case .notEnoughNodes(let available, let required):
        return Problem(
            .serviceUnavailable, "not-enough-nodes", title: "Too few storage nodes can be written to",
            detail: "\(available) available, \(required) required", fields: retrySoon)
    case .storageClassUnavailable(let storageClass, let required, let available):
        return Problem(
            .conflict, "storage-class-unavailable", title: "The storage class needs more storage nodes than there are",
            detail: "\(storageClass) needs \(required) nodes, the cluster has \(available)")
    case .quorumNotReached(_, let acknowledged, let required, _):
        return Problem(
            .serviceUnavailable, "quorum-not-reached", title: "Too few storage nodes took the file",
            detail: "\(acknowledged) acknowledged, \(required) required; nothing was stored", fields: retrySoon)
    case .chunkUnavailable:
        return Problem(
            .serviceUnavailable, "content-unavailable", title: "No storage node can serve this content at the moment", fields: retrySoon)
    case .insufficientStorage:
        return Problem(.insufficientStorage, "insufficient-storage", title: "There is no room left")
    case .metadataFailure:
        return Problem(.internalServerError, "metadata-failure", title: "The metadata database failed")
    case .shuttingDown:
        return Problem(.serviceUnavailable, "shutting-down", title: "The server is shutting down", fields: retrySoon)
    }
}
