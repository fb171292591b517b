internal import Core
internal import NIOCore
import Synchronization

/// The bytes of a chunk on their way to one receiver, in order and each of them once, whoever brings them: two nodes may be read
/// side by side. Safe to use from any task.
final class ChunkStream: Sendable {
    /// What the receiver threw.
    struct ReceiverFailed: Error { let underlying: any Error }

    private struct State {
        /// Up to where the receiver has been served, in bytes of the chunk.
        var position: Int
        /// nil while the receiver has the word: its slowness is not the nodes'.
        var silentSince: MonotonicInstant?
    }

    private let range: Range<Int>
    private let time: any TimeSource
    private let receive: @Sendable (ByteBuffer) async throws -> Void
    private let turn = AsyncPermits(count: 1)
    /// Raised when the receiver has done with something.
    private let received = Signal()
    private let state: Mutex<State>

    init(range: Range<Int>, time: any TimeSource, receive: @escaping @Sendable (ByteBuffer) async throws -> Void) {
        self.range = range
        self.time = time
        self.receive = receive
        state = Mutex(State(position: range.lowerBound, silentSince: time.monotonicNow()))
    }

    var position: Int { state.withLock { $0.position } }

    /// Hands on what the receiver does not have yet of `bytes`, which begin at `offset` of the chunk, at or before ``position``.
    /// - Throws: ``ReceiverFailed``, `CancellationError`.
    func take(_ bytes: ByteBuffer, at offset: Int) async throws {
        try await turn.withPermit {
            let lower = max(position, offset)
            let upper = min(range.upperBound, offset + bytes.readableBytes)
            guard lower < upper else { return }
            let wanted = bytes.getSlice(at: bytes.readerIndex + lower - offset, length: upper - lower)!
            state.withLock { $0.silentSince = nil }
            defer {
                let now = time.monotonicNow()
                state.withLock { $0.silentSince = now }
                received.raise()
            }
            do {
                try await receive(wanted)
            } catch {
                throw ReceiverFailed(underlying: error)
            }
            state.withLock { $0.position = upper }
        }
    }

    /// Waits until no node has brought anything for `duration`.
    /// - Returns: false when the task was cancelled before that.
    func waitUntilSilent(for duration: Duration) async -> Bool {
        do {
            while true {
                try Task.checkCancellation()
                guard let silentSince = state.withLock({ $0.silentSince }) else {
                    try await received.wait()
                    continue
                }
                let rest = silentSince + duration - time.monotonicNow()
                if rest <= .zero { return true }
                try await time.sleep(for: rest)
            }
        } catch {
            return false
        }
    }
}
