public import NIOCore
internal import Synchronization

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// Whether a file could not be read from where it was to be sent from. Safe to use from any thread.
public final class SliceFailure: Sendable {
    private let flag = Atomic(false)

    public init() {}

    public var isSet: Bool { flag.load(ordering: .relaxed) }

    fileprivate func set() { flag.store(true, ordering: .relaxed) }
}

/// A run of bytes of an open file, to be sent from where it is: nobody has looked at them. Safe to use from any thread.
public final class FileSlice: Sendable {
    /// For a channel to write. What it refers to is open as long as the slice lives.
    public let region: FileRegion
    private let failure: SliceFailure?

    public var byteCount: Int { region.readableBytes }

    /// - Parameters:
    ///   - descriptor: of the file; the slice has one of its own.
    ///   - failure: set when the file turns out not to be readable.
    /// - Returns: nil when the process has no further descriptor.
    public init?(of descriptor: CInt, offset: Int, byteCount: Int, failure: SliceFailure? = nil) {
        let own = fcntl(descriptor, F_DUPFD_CLOEXEC, 0)
        guard own >= 0 else { return nil }
        self.failure = failure
        let handle = NIOFileHandle(_deprecatedTakingOwnershipOfDescriptor: own)
        region = FileRegion(fileHandle: handle, readerIndex: offset, endIndex: offset + byteCount)
    }

    deinit { try? region.fileHandle.close() }

    /// Takes note of why the bytes were not sent.
    public func noteFailure(_ error: any Error) {
        guard let error = error as? IOError, ![EPIPE, ECONNRESET, ENOTCONN, ETIMEDOUT].contains(error.errnoCode) else { return }
        failure?.set()
    }

    /// The bytes, in memory. Waits for the disk where the system does not have them.
    /// - Throws: `IOError` when they cannot be read, or not all of them.
    public func read() throws -> ByteBuffer {
        var buffer = ByteBuffer()
        try region.fileHandle.withUnsafeFileDescriptor { descriptor in
            while buffer.readableBytes < byteCount {
                let missing = byteCount - buffer.readableBytes
                let offset = off_t(region.readerIndex + buffer.readableBytes)
                var code: CInt = 0
                let count = buffer.writeWithUnsafeMutableBytes(minimumWritableBytes: missing) { free in
                    let count = pread(descriptor, free.baseAddress, missing, offset)
                    code = count < 0 ? errno : 0
                    return max(0, count)
                }
                guard count > 0 || code == EINTR else { throw IOError(errnoCode: code == 0 ? EIO : code, reason: "pread") }
            }
        }
        return buffer
    }
}
