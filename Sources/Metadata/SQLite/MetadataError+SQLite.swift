internal import GRDB

extension MetadataError {
    /// What an error of the database means to the callers of the store.
    init(_ error: any Error) {
        switch error {
        case let error as MetadataError: self = error
        case let error as DatabaseError:
            switch error.resultCode {
            case .SQLITE_FULL: self = .diskFull
            case .SQLITE_CORRUPT, .SQLITE_NOTADB: self = .damaged(detail: error.descriptionWithoutArguments)
            default: self = .failure(detail: error.descriptionWithoutArguments)
            }
        // The executor has shut down.
        case is CancellationError: self = .closed
        default: self = .failure(detail: "\(error)")
        }
    }
}

extension DatabaseError {
    /// Code and message, without the values that were written: keys and names stay out of the logs.
    fileprivate var descriptionWithoutArguments: String {
        "SQLite error \(extendedResultCode.rawValue): \(message ?? "no message")"
    }
}
