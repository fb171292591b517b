internal import Core
internal import NIOCore
import Synchronization

/// What the sending side of a put leaves for the receiving side to judge the answer by.
final class PutProgress: Sendable {
    private struct State {
        var byteCount = 0
        var failure: (any Error)?
    }

    private let state = Mutex(State())

    /// Bytes of payload sent.
    var byteCount: Int { state.withLock { $0.byteCount } }
    /// What the pieces ended with, if they ended badly and not because nobody wanted them any more.
    var failure: (any Error)? { state.withLock { $0.failure } }

    func sent(_ byteCount: Int) { state.withLock { $0.byteCount += byteCount } }

    /// The next piece; remembers why there is none.
    /// - Throws: what the pieces ended with, ``NodeError/invalid(detail:)`` for one that is too large.
    func next(of pieces: BoundedQueue<Piece>) async throws -> Piece? {
        do {
            let piece = try await pieces.next()
            if let byteCount = piece?.bytes.readableBytes, byteCount > Piece.maximumSize {
                throw NodeError.invalid(detail: "a piece of \(byteCount) bytes, at most \(Piece.maximumSize)")
            }
            return piece
        } catch {
            if !(error is BoundedQueue<Piece>.Cancelled) { state.withLock { $0.failure = error } }
            throw error
        }
    }
}
