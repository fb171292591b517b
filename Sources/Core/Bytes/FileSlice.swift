public import NIOCore

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// A run of bytes of an open file, to be sent from where it is: nobody has looked at them. Safe to use from any thread.
public final class FileSlice: Sendable {
    /// For a channel to write. What it refers to is open as long as the slice lives.
    public let region: FileRegion

    public var byteCount: Int { region.readableBytes }

    /// - Parameter descriptor: of the file; the slice has one of its own.
    /// - Returns: nil when the process has no further descriptor.
    public init?(of descriptor: CInt, offset: Int, byteCount: Int) {
        let own = fcntl(descriptor, F_DUPFD_CLOEXEC, 0)
        guard own >= 0 else { return nil }
        let handle = NIOFileHandle(_deprecatedTakingOwnershipOfDescriptor: own)
        region = FileRegion(fileHandle: handle, readerIndex: offset, endIndex: offset + byteCount)
    }

    deinit { try? region.fileHandle.close() }

    /// The bytes, in memory. Waits for the disk where the system does not have them.
    /// - Throws: `IOError` when they cannot be read, or not all of them.
    public func read() throws -> ByteBuffer {
        var buffer = ByteBuffer()
        try region.fileHandle.withUnsafeFileDescriptor { descriptor in
            while buffer.readableBytes < byteCount {
                let missing = byteCount - buffer.readableBytes
                let offset = off_t(region.readerIndex + buffer.readableBytes)
                let count = buffer.writeWithUnsafeMutableBytes(minimumWritableBytes: missing) { free in
                    max(0, pread(descriptor, free.baseAddress, missing, offset))
                }
                guard count > 0 else { throw IOError(errnoCode: EIO, reason: "the file ends, or cannot be read") }
            }
        }
        return buffer
    }
}
