internal import Core
internal import Foundation
internal import NIOCore

/// A file as the body of an upload. Its name is gone from the start, and the file goes with the last reference, however that ends.
struct SnapshotBody: AsyncSequence, Sendable {
    private static let pieceSize = 512 * 1024

    /// The file cannot be used.
    struct Unreadable: Error {
        let detail: String

        init(_ what: String, _ path: String) { detail = "\(path) \(what): \(String(cString: strerror(errno)))" }
    }

    fileprivate final class File: Sendable {
        let path: String
        let descriptor: Int32

        init(takingOver path: String) throws {
            self.path = path
            descriptor = open(path, O_RDONLY | O_CLOEXEC)
            guard descriptor >= 0 else { throw Unreadable("cannot be opened", path) }
            guard unlink(path) == 0 else { throw Unreadable("cannot be removed", path) }
        }

        deinit { if descriptor >= 0 { close(descriptor) } }

        /// - Returns: no bytes at the end.
        func read(at offset: Int64) throws -> ByteBuffer {
            var buffer = ByteBuffer()
            var outcome = 0
            repeat {
                buffer.writeWithUnsafeMutableBytes(minimumWritableBytes: SnapshotBody.pieceSize) { room in
                    outcome = pread(descriptor, room.baseAddress, SnapshotBody.pieceSize, off_t(offset))
                    return Swift.max(0, outcome)
                }
            } while outcome < 0 && errno == EINTR
            guard outcome >= 0 else { throw Unreadable("cannot be read", path) }
            return buffer
        }
    }

    private let file: File
    private let executor: any BlockingExecutor

    /// - Parameter executor: where the file is read.
    /// - Throws: ``Unreadable``
    init(takingOver path: String, executor: any BlockingExecutor) async throws {
        file = try await executor.run { try File(takingOver: path) }
        self.executor = executor
    }

    func makeAsyncIterator() -> AsyncIterator { AsyncIterator(file: file, executor: executor) }

    struct AsyncIterator: AsyncIteratorProtocol {
        private let file: File
        private let executor: any BlockingExecutor
        private var offset: Int64 = 0

        fileprivate init(file: File, executor: any BlockingExecutor) {
            self.file = file
            self.executor = executor
        }

        mutating func next() async throws -> ByteBuffer? {
            let bytes = try await executor.run { [file, offset] in try file.read(at: offset) }
            offset += Int64(bytes.readableBytes)
            return bytes.readableBytes > 0 ? bytes : nil
        }
    }
}
