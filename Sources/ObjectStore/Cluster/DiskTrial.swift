internal import ChunkTransport
internal import Core
internal import NIOCore
import Synchronization

/// Finds out whether a node's disk works again: writes a fragment of a blob that nobody has, reads it back and removes it.
///
/// Instead of trying it with the next call of a client: that would cost the client a wait, and a node that gets no calls, because it
/// fails, would never be found to work.
struct DiskTrial: Sendable {
    private static let byteCount = Piece.blockSize
    private static let patience = Duration.seconds(10)
    /// Older than any other: what a trial that was broken off leaves behind goes with the next sweep.
    private static let fragment = FragmentID(chunk: ChunkID(blob: BlobID(uuid: UUIDv7(high: 0, low: 0)), index: 0))

    let node: any ChunkTransport
    let time: any TimeSource

    /// - Returns: why the disk does not work; nil when it does.
    /// - Throws: `CancellationError`.
    func failure() async throws -> NodeError? {
        do {
            try await withDeadline(Self.patience, time: time) { try await run() }
            return nil
        } catch is DeadlineExceeded {
            return .unreachable(address: "", detail: "a trial of the disk did not end within \(Self.patience)")
        } catch let error as NodeError {
            switch error {
            case .storageFailure, .unreachable, .shuttingDown, .unauthenticated, .incompatible, .wrongCluster: return error
            // A full disk is no broken one; and another distributor may be trying at the same time.
            case .insufficientSpace, .notFound, .corrupt, .damagedInTransit, .noSource, .invalid: return nil
            }
        }
    }

    private func run() async throws {
        let pieces = BoundedQueue<Piece>(capacity: 1)
        _ = try pieces.offer(Piece(checksumming: ByteBuffer(repeating: 0, count: Self.byteCount)))
        pieces.finish()
        _ = try await node.put(Self.fragment, descriptor: [], pieces: pieces)
        _ = try await node.get(Self.fragment, range: nil) { _ in }
        try await node.delete([Self.fragment])
    }
}
