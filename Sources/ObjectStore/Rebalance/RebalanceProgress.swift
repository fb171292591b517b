internal import Core
import Synchronization

/// What a status says of fragments on the move. Safe to use from any thread.
final class RebalanceProgress: Sendable {
    private struct State {
        /// Whether blobs may be where an older layout has them.
        var isPending = true
        var movedBytes: Int64 = 0
        /// Bytes moved in each second of the last minute.
        var recent: [(second: Int64, byteCount: Int64)] = []
    }

    private static let window: Int64 = 60
    private let state = Mutex(State())

    var isPending: Bool { state.withLock { $0.isPending } }

    func noteNewLayout() { state.withLock { $0.isPending = true } }

    /// - Returns: bytes moved since the start.
    func noteFinished(at now: MonotonicInstant) -> Int64 {
        state.withLock { $0.isPending = false }
        return rate(at: now).movedBytes
    }

    func noteMoved(_ byteCount: Int, at now: MonotonicInstant) {
        let second = now.seconds
        state.withLock { state in
            state.movedBytes += Int64(byteCount)
            if let last = state.recent.indices.last, state.recent[last].second == second {
                state.recent[last].byteCount += Int64(byteCount)
            } else {
                state.recent.removeAll { $0.second <= second - Self.window }
                state.recent.append((second, Int64(byteCount)))
            }
        }
    }

    /// Bytes moved since the start, and a second over the last minute.
    func rate(at now: MonotonicInstant) -> (movedBytes: Int64, bytesPerSecond: Int64) {
        let second = now.seconds
        return state.withLock { state in
            let recent = state.recent.filter { $0.second > second - Self.window }
            guard let first = recent.first else { return (state.movedBytes, 0) }
            return (state.movedBytes, recent.reduce(0) { $0 + $1.byteCount } / max(1, second - first.second + 1))
        }
    }
}
