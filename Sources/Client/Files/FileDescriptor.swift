package import Foundation
package import NIOCore

/// A file of this machine that is open; closed with its last reference. Safe to use from any thread.
package final class FileDescriptor: Sendable {
    package let path: String
    private let number: Int32
    private let isOwned: Bool

    /// - Throws: ``ClientError/localFile(path:detail:)``, like everything here.
    package init(opening path: String, flags: Int32, mode: mode_t = 0o666) throws {
        let number = open(path, flags | O_CLOEXEC, mode)
        guard number >= 0 else { throw Self.failure(path) }
        self.path = path
        self.number = number
        isOwned = true
    }

    /// One that somebody else closes.
    package init(borrowing number: Int32, path: String) {
        self.path = path
        self.number = number
        isOwned = false
    }

    deinit { if isOwned { close(number) } }

    static func failure(_ path: String, errno code: Int32 = errno) -> ClientError {
        .localFile(path: path, detail: String(cString: strerror(code)))
    }

    package func status() throws -> stat {
        var status = stat()
        guard fstat(number, &status) == 0 else { throw Self.failure(path) }
        return status
    }

    /// - Returns: false when somebody else has it.
    func lock() throws -> Bool {
        if flock(number, LOCK_EX | LOCK_NB) == 0 { return true }
        if errno == EWOULDBLOCK { return false }
        throw Self.failure(path)
    }

    func truncate(to byteCount: Int64) throws {
        guard ftruncate(number, off_t(byteCount)) == 0 else { throw Self.failure(path) }
    }

    func synchronize() throws {
        guard fsync(number) == 0 else { throw Self.failure(path) }
    }

    /// At most `count` bytes from `offset` on; fewer, or none, at the end of the file.
    package func read(_ count: Int, at offset: Int64) throws -> ByteBuffer {
        var buffer = ByteBufferAllocator().buffer(capacity: count)
        while buffer.readableBytes < count {
            let position = off_t(offset) + off_t(buffer.readableBytes)
            let outcome = buffer.writeWithUnsafeMutableBytesOrFailure(limit: count - buffer.readableBytes) {
                pread(number, $0, $1, position)
            }
            if outcome == 0 { break }
            if outcome < 0, errno != EINTR { throw Self.failure(path) }
        }
        return buffer
    }

    /// - Parameter offset: nil for files without positions: pipes, terminals.
    func write(_ buffer: ByteBuffer, at offset: Int64?) throws {
        try buffer.withUnsafeReadableBytes { bytes in
            var done = 0
            while done < bytes.count {
                guard let start = bytes.baseAddress?.advanced(by: done) else { return }
                let outcome =
                    offset.map { pwrite(number, start, bytes.count - done, off_t($0) + off_t(done)) }
                    ?? Foundation.write(number, start, bytes.count - done)
                if outcome >= 0 { done += outcome } else if errno != EINTR { throw Self.failure(path) }
            }
        }
    }
}

extension ByteBuffer {
    /// Appends what `fill` writes into the free room, at most `limit` bytes.
    /// - Returns: what `fill` returns: the count of bytes, or less than 0 when nothing was written.
    fileprivate mutating func writeWithUnsafeMutableBytesOrFailure(
        limit: Int, _ fill: (UnsafeMutableRawPointer, Int) -> Int
    ) -> Int {
        var outcome = 0
        writeWithUnsafeMutableBytes(minimumWritableBytes: limit) { room in
            guard let start = room.baseAddress else { return 0 }
            outcome = fill(start, min(limit, room.count))
            return max(0, outcome)
        }
        return outcome
    }
}
