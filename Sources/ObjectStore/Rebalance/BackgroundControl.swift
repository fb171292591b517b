internal import Core
import Synchronization

/// What holds movement in the background back: the operator's switch, and clients, who come first. Safe to use from any thread.
final class BackgroundControl: Sendable {
    private struct State {
        var isPaused = false
        var clientOperations = 0
        /// When the bytes taken so far will have been paid for.
        var paidUntil: MonotonicInstant?
    }

    /// How much more a byte costs while clients are served.
    private static let priceUnderLoad = 16

    private let bytesPerSecond: Int
    private let time: any TimeSource
    private let state = Mutex(State())

    init(bytesPerSecond: Int, time: any TimeSource) {
        self.bytesPerSecond = bytesPerSecond
        self.time = time
    }

    var isPaused: Bool { state.withLock { $0.isPaused } }

    func setPaused(_ isPaused: Bool) { state.withLock { $0.isPaused = isPaused } }

    func serving<Value>(_ body: () async throws -> Value) async rethrows -> Value {
        state.withLock { $0.clientOperations += 1 }
        defer { state.withLock { $0.clientOperations -= 1 } }
        return try await body()
    }

    /// Waits until `byteCount` more may move.
    /// - Throws: `CancellationError`.
    func take(_ byteCount: Int) async throws {
        guard bytesPerSecond > 0, byteCount > 0 else { return try Task.checkCancellation() }
        let now = time.monotonicNow()
        let start = state.withLock { state -> MonotonicInstant in
            let price = state.clientOperations > 0 ? Self.priceUnderLoad : 1
            let start = max(state.paidUntil ?? now, now)
            state.paidUntil = start + .nanoseconds(Int64(Double(byteCount * price) / Double(bytesPerSecond) * 1e9))
            return start
        }
        if start > now { try await time.sleep(for: start - now) } else { try Task.checkCancellation() }
    }
}
