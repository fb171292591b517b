internal import Core
internal import NIOCore
import Synchronization

/// What the sending side of a put leaves for the receiving side to judge the answer by.
final class PutProgress: Sendable {
    private struct State {
        var byteCount = 0
        var isComplete = false
        var failure: (any Error)?
        var hasEnded = false
    }

    private let state = Mutex(State())
    private let ended = Signal()

    /// Bytes of payload sent.
    var byteCount: Int { state.withLock { $0.byteCount } }
    /// Whether the pieces have come to a good end.
    var isComplete: Bool { state.withLock { $0.isComplete } }
    /// What the pieces ended with, if they ended badly and not because nobody wanted them any more.
    var failure: (any Error)? { state.withLock { $0.failure } }

    func sent(_ byteCount: Int) { state.withLock { $0.byteCount += byteCount } }

    /// The next piece; nil at the end, be it good or bad.
    func next(of pieces: BoundedQueue<Piece>) async -> Piece? {
        do {
            let piece = try await pieces.next()
            if let byteCount = piece?.bytes.readableBytes, byteCount > Piece.maximumSize {
                throw NodeError.invalid(detail: "a piece of \(byteCount) bytes, at most \(Piece.maximumSize)")
            }
            if piece == nil { state.withLock { $0.isComplete = true } }
            return piece
        } catch is BoundedQueue<Piece>.Cancelled {
            return nil
        } catch {
            state.withLock { $0.failure = error }
            return nil
        }
    }

    /// Says that nothing more is sent.
    func end() {
        state.withLock { $0.hasEnded = true }
        ended.raise()
    }

    /// - Throws: `CancellationError`.
    func waitForEnd(atMost limit: Duration, time: any TimeSource) async throws {
        if state.withLock({ $0.hasEnded }) { return }
        try await ended.wait(atMost: limit, time: time)
    }
}
