#if canImport(Glibc)
    internal import Glibc
#else
    internal import Darwin
#endif

/// Whether a server uses a data directory at this moment. Blocks for no longer than a file takes to open.
enum LockExamination {
    /// Takes the lock for a moment if nobody has it: a server that is started in this very moment would be refused.
    static func isHeld(_ path: String) -> Bool {
        let file = open(path, O_RDONLY | O_CLOEXEC)
        guard file >= 0 else { return false }
        defer { close(file) }
        return flock(file, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK
    }

    static func finding(directory: String, isRunning: Bool) -> Finding {
        .ok("directory lock", isRunning ? "held: a server uses \(directory)" : "free: no server uses \(directory)")
    }
}
