internal import ChunkTransport
internal import Core
internal import Metadata
internal import NIOCore
import Synchronization

/// Reads one chunk's range from whichever nodes can serve it, and goes on at another node where one breaks off.
struct ChunkReader: Sendable {
    let read: ChunkRead
    let store: ObjectStore

    /// What the receiver of the bytes threw: it ends the read, no other node is asked.
    private struct ReceiverFailed: Error { let underlying: any Error }

    /// How far the read has come, in bytes of the chunk. Shared with the closure that the transport calls.
    private final class Progress: Sendable {
        let position: Mutex<Int>
        init(_ position: Int) { self.position = Mutex(position) }
    }

    /// Delivers the range into `queue` and ends it.
    func fill(_ queue: BoundedQueue<ByteBuffer>) async {
        do {
            try await deliver { try await queue.send($0) }
            queue.finish()
        } catch {
            queue.finish(throwing: error)
        }
    }

    /// - Throws: ``StoreError/chunkUnavailable``, what `receive` throws, or `CancellationError`.
    func deliver(to receive: @escaping @Sendable (ByteBuffer) async throws -> Void) async throws {
        let progress = Progress(read.range.lowerBound)
        let (wanted, successors) = store.map.places(of: read.chunk, layoutVersion: read.layoutVersion)
        var detail = ""
        for round in 0..<store.configuration.readRounds {
            if round > 0 { try await store.time.sleep(for: store.configuration.readRoundPause) }
            for node in store.nodes.byHealth(wanted + successors) {
                do {
                    try await deliver(from: node, progress: progress, to: receive)
                    return
                } catch let failure as ReceiverFailed {
                    throw failure.underlying
                } catch let error as NodeError {
                    try Task.checkCancellation()
                    note(error, from: node, isExpectedThere: wanted.contains(node))
                    detail += detail.isEmpty ? "\(node): \(error)" : "; \(node): \(error)"
                }
            }
        }
        throw StoreError.chunkUnavailable(read.chunk, detail: detail)
    }

    private func deliver(
        from node: NodeID, progress: Progress, to receive: @escaping @Sendable (ByteBuffer) async throws -> Void
    ) async throws {
        guard let transport = store.nodes.transport(to: node) else {
            throw NodeError.unreachable(address: "", detail: "the node is not a member of the cluster")
        }
        let range = read.range
        let start = progress.position.withLock { $0 }
        guard start < range.upperBound else { return }
        let fragment = FragmentID(chunk: read.chunk)
        let blockStart = start - start % Piece.blockSize
        let pieceStart = Mutex(blockStart)
        let info = try await transport.get(fragment, range: start..<range.upperBound) { piece in
            // Whole blocks arrive; what the client asked for may begin and end within one.
            let offset = pieceStart.withLock { offset in
                defer { offset += piece.bytes.readableBytes }
                return offset
            }
            let position = progress.position.withLock { $0 }
            let lower = max(position, offset)
            let upper = min(range.upperBound, offset + piece.bytes.readableBytes)
            guard lower < upper else { return }
            let bytes = piece.bytes.getSlice(at: piece.bytes.readerIndex + lower - offset, length: upper - lower)!
            do {
                try await receive(bytes)
            } catch {
                throw ReceiverFailed(underlying: error)
            }
            progress.position.withLock { $0 = upper }
        }
        guard info.byteCount == read.chunkByteCount else {
            throw NodeError.corrupt(fragment, detail: "\(info.byteCount) bytes where \(read.chunkByteCount) were written")
        }
        guard progress.position.withLock({ $0 }) == range.upperBound else {
            throw NodeError.unreachable(address: "", detail: "the node ended the fragment early")
        }
    }

    private func note(_ error: NodeError, from node: NodeID, isExpectedThere: Bool) {
        store.nodes.report(error, from: node)
        switch error {
        case .corrupt: store.requestRepair(of: FragmentID(chunk: read.chunk), on: node, layoutVersion: read.layoutVersion, reason: .corrupt)
        case .notFound where isExpectedThere:
            store.requestRepair(of: FragmentID(chunk: read.chunk), on: node, layoutVersion: read.layoutVersion, reason: .missing)
        default: break
        }
    }
}
