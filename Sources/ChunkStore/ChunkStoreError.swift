public import Core

/// Why the store did not do what it was asked.
public enum ChunkStoreError: Error, Hashable, Sendable {
    /// No fragment of that name is stored.
    case notFound(FragmentID)
    /// What is stored fails its checksum and was quarantined. Putting the fragment again heals it.
    case corrupt(FragmentID, detail: String)
    /// There is no room: nothing was stored. Reads and deletions go on; trying again helps once something was deleted.
    case diskFull(detail: String)
    /// A system call failed. After a failed write or sync the file concerned is not written again.
    case diskFailure(operation: String, detail: String)
    /// The bytes that arrived do not match the checksums that came with them: nothing was stored. Sending again can help.
    case damagedInTransit(FragmentID)
    /// Another process has the data directory.
    case locked(path: String)
    /// The store is closed or closing.
    case closed
    /// The call made no sense.
    case invalid(detail: String)

    /// The disk's own words, in the store's.
    init(_ error: DiskError) {
        self =
            meansFull(error.errno)
            ? .diskFull(detail: error.description)
            : .diskFailure(operation: error.operation, detail: systemErrorText(error.errno))
    }

    /// What went to the disk and came back as ``DiskError`` leaves the store as `ChunkStoreError`; all else passes.
    static func translating(_ error: any Error) -> any Error {
        if let disk = error as? DiskError { return ChunkStoreError(disk) }
        return error
    }
}
