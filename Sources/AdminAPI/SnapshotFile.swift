internal import Core
internal import Foundation
internal import NIOCore

/// A file on its way to a client. It has lost its name already and goes with its descriptor, however the response or the process
/// ends. Safe to use from any thread; everything blocks.
final class SnapshotFile: Sendable {
    static let pieceSize = 256 << 10

    let byteCount: Int64
    /// For the field `Repr-Digest`.
    let digestText: String
    private let descriptor: Int32

    /// Takes the file's name away, and reads all of it for its digest.
    /// - Throws: ``SnapshotFailure``
    init(takingOver path: String) throws {
        let file = open(path, O_RDONLY | O_CLOEXEC)
        guard file >= 0 else { throw SnapshotFailure("cannot be opened", path) }
        do {
            guard unlink(path) == 0 else { throw SnapshotFailure("cannot be removed", path) }
            var digest = SHA256Digest()
            while true {
                let piece = try Self.read(file, Self.pieceSize, at: digest.byteCount)
                if piece.readableBytes == 0 { break }
                digest.update(piece)
            }
            byteCount = digest.byteCount
            digestText = digest.fieldText
            descriptor = file
        } catch {
            close(file)
            throw error
        }
    }

    deinit { close(descriptor) }

    /// - Returns: at least a byte, at most ``pieceSize``.
    /// - Throws: ``SnapshotFailure``
    func read(at offset: Int64) throws -> ByteBuffer {
        let piece = try Self.read(descriptor, Self.pieceSize, at: offset)
        guard piece.readableBytes > 0 else { throw SnapshotFailure(detail: "the snapshot ends after \(offset) bytes") }
        return piece
    }

    private static func read(_ file: Int32, _ count: Int, at offset: Int64) throws -> ByteBuffer {
        var buffer = ByteBufferAllocator().buffer(capacity: count)
        var outcome = 0
        repeat {
            buffer.writeWithUnsafeMutableBytes(minimumWritableBytes: count) { room in
                outcome = pread(file, room.baseAddress, min(count, room.count), off_t(offset))
                return max(0, outcome)
            }
        } while outcome < 0 && errno == EINTR
        guard outcome >= 0 else { throw SnapshotFailure("cannot be read", "the snapshot") }
        return buffer
    }
}

/// The disk did not do what a snapshot needs. For the log.
struct SnapshotFailure: Error {
    let detail: String

    init(detail: String) { self.detail = detail }
    init(_ what: String, _ path: String) { detail = "\(path) \(what): \(String(cString: strerror(errno)))" }
}
