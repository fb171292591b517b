package import Core
import Synchronization

/// What holds movement in the background back: the operator's switch, and clients, who come first. Safe to use from any thread.
///
/// The rate is that of each node that receives: what a node's disk and network can spare does not depend on how many others there are.
package final class BackgroundControl: Sendable {
    private struct State {
        var isPaused = false
        var clientOperations = 0
        /// When the bytes that each node takes so far will have been paid for.
        var paidUntil: [NodeID: MonotonicInstant] = [:]
    }

    /// How much more a byte costs while clients are served.
    private static let priceUnderLoad = 16

    private let bytesPerSecond: Int
    private let time: any TimeSource
    private let state = Mutex(State())

    /// - Parameter bytesPerSecond: to each node; 0 for no limit.
    package init(bytesPerSecond: Int, time: any TimeSource) {
        self.bytesPerSecond = bytesPerSecond
        self.time = time
    }

    var isPaused: Bool { state.withLock { $0.isPaused } }

    func setPaused(_ isPaused: Bool) { state.withLock { $0.isPaused = isPaused } }

    package func serving<Value>(_ body: () async throws -> Value) async rethrows -> Value {
        state.withLock { $0.clientOperations += 1 }
        defer { state.withLock { $0.clientOperations -= 1 } }
        return try await body()
    }

    /// Waits until `byteCount` more may move to `node`.
    /// - Throws: `CancellationError`.
    package func take(_ byteCount: Int, to node: NodeID) async throws {
        guard bytesPerSecond > 0, byteCount > 0 else { return try Task.checkCancellation() }
        let now = time.monotonicNow()
        let start = state.withLock { state -> MonotonicInstant in
            let price = state.clientOperations > 0 ? Self.priceUnderLoad : 1
            let start = max(state.paidUntil[node] ?? now, now)
            state.paidUntil[node] = start + .nanoseconds(Int64(Double(byteCount * price) / Double(bytesPerSecond) * 1e9))
            return start
        }
        if start > now { try await time.sleep(for: start - now) } else { try Task.checkCancellation() }
    }
}
