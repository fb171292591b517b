import Synchronization

#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// Keeps every other process away from a database as long as it is held, by `flock` on a file of its own beside it: the
/// database's own locks come and go with its connections. The system gives it up when the process dies.
final class FileLock: Sendable {
    private let descriptor: Mutex<Int32?>

    /// - Throws: ``MetadataError/locked(path:)`` naming `path`, or ``MetadataError/failure(detail:)``.
    init(path: String) throws {
        let file = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o644)
        guard file >= 0 else { throw MetadataError.failure(detail: "cannot open \(path): \(String(cString: strerror(errno)))") }
        guard flock(file, LOCK_EX | LOCK_NB) == 0 else {
            let reason = errno
            close(file)
            if reason == EWOULDBLOCK { throw MetadataError.locked(path: path) }
            throw MetadataError.failure(detail: "cannot lock \(path): \(String(cString: strerror(reason)))")
        }
        descriptor = Mutex(file)
    }

    /// Gives the lock up. A second call does nothing.
    func release() {
        descriptor.withLock { descriptor in
            if let file = descriptor { close(file) }
            descriptor = nil
        }
    }

    deinit { release() }
}
