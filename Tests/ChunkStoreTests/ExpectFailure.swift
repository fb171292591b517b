import ChunkStore
import Testing

/// The cases of `ChunkStoreError`, without what they carry.
enum FailureKind {
    case notFound, corrupt, diskFull, diskFailure, damagedInTransit, locked, closed, invalid

    init(_ error: ChunkStoreError) {
        switch error {
        case .notFound: self = .notFound
        case .corrupt: self = .corrupt
        case .diskFull: self = .diskFull
        case .diskFailure: self = .diskFailure
        case .damagedInTransit: self = .damagedInTransit
        case .locked: self = .locked
        case .closed: self = .closed
        case .invalid: self = .invalid
        }
    }
}

/// Expects that `body` throws a `ChunkStoreError` of the given kind.
func expectFailure(
    _ kind: FailureKind, sourceLocation: SourceLocation = #_sourceLocation, _ body: () async throws -> Void
) async {
    do {
        try await body()
        Issue.record("no error, where \(kind) was expected", sourceLocation: sourceLocation)
    } catch let error as ChunkStoreError {
        #expect(FailureKind(error) == kind, sourceLocation: sourceLocation)
    } catch {
        Issue.record(error, sourceLocation: sourceLocation)
    }
}
