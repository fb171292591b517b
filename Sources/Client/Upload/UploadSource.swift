package import Core
internal import Foundation
package import NIOCore
internal import Synchronization

/// What can be sent as a new file: buffers of a length that is known before.
package protocol UploadContent: AsyncSequence, Sendable where Element == ByteBuffer {
    /// Bytes of all buffers together.
    var byteCount: Int64 { get }
}

/// The content of a file of this machine on its way out: read as fast as the server takes it, half a megabyte at a time.
///
/// For one attempt: it can be iterated once.
package struct UploadSource: UploadContent {
    private static let readSize = 512 << 10

    private struct State {
        var byteCount: Int64 = 0
        var crc = CRC32C()
    }

    /// What has been read; shared by all copies.
    private final class Reading: Sendable {
        let state = Mutex(State())
    }

    /// Size of the file when it was opened.
    package let byteCount: Int64
    private let file: FileDescriptor
    private let executor: any BlockingExecutor
    private let progress: TransferProgress
    private let reading = Reading()

    package init(_ file: FileDescriptor, byteCount: Int64, executor: any BlockingExecutor, progress: TransferProgress) {
        self.file = file
        self.byteCount = byteCount
        self.executor = executor
        self.progress = progress
    }

    /// CRC-32C of what was read.
    package var crc32c: UInt32 { reading.state.withLock { $0.crc.value } }
    /// Whether everything was handed to the connection.
    package var isExhausted: Bool { reading.state.withLock { $0.byteCount == byteCount } }

    /// - Returns: nil at the end.
    /// - Throws: ``ClientError/localFile(path:detail:)`` when the file is not what it was when it was opened.
    fileprivate func next() async throws -> ByteBuffer? {
        let buffer: ByteBuffer? = try await executor.run {
            try reading.state.withLock { state in
                let left = byteCount - state.byteCount
                guard left > 0 else { return nil }
                let buffer = try file.read(Int(Swift.min(left, Int64(Self.readSize))), at: state.byteCount)
                guard buffer.readableBytes > 0 else {
                    throw ClientError.localFile(path: file.path, detail: "became shorter while it was read")
                }
                state.crc.update(buffer)
                state.byteCount += Int64(buffer.readableBytes)
                return buffer
            }
        }
        if buffer != nil { progress.update(reading.state.withLock { $0.byteCount }) }
        return buffer
    }

    package struct AsyncIterator: AsyncIteratorProtocol {
        fileprivate let source: UploadSource
        package mutating func next() async throws -> ByteBuffer? { try await source.next() }
    }

    package func makeAsyncIterator() -> AsyncIterator { AsyncIterator(source: self) }
}
