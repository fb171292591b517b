internal import ChunkStore

extension NodeError {
    /// What the engine says, in the words that travel between servers.
    init(_ error: ChunkStoreError) {
        switch error {
        case .notFound(let id): self = .notFound(id)
        case .corrupt(let id, let detail): self = .corrupt(id, detail: detail)
        case .diskFull(let detail): self = .insufficientSpace(detail: detail)
        case .diskFailure(let operation, let detail): self = .storageFailure(detail: "\(operation): \(detail)")
        case .damagedInTransit(let id): self = .damagedInTransit(id)
        case .locked(let path): self = .storageFailure(detail: "\(path) is locked by another process")
        case .closed: self = .shuttingDown
        case .invalid(let detail): self = .invalid(detail: detail)
        }
    }
}
