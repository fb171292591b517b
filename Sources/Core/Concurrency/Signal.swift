import Synchronization

/// Wakes one waiting loop. A signal given while nobody waits is kept, several are kept as one.
/// Safe to use from any thread; one task waits at a time.
public final class Signal: Sendable {
    private struct State {
        var raised = false
        var waiter: CheckedContinuation<Void, any Error>?
    }

    private let state = Mutex(State())

    public init() {}

    public func raise() {
        let waiter = state.withLock { state -> CheckedContinuation<Void, any Error>? in
            guard let waiter = state.waiter else {
                state.raised = true
                return nil
            }
            state.waiter = nil
            return waiter
        }
        waiter?.resume()
    }

    /// Returns at once when the signal was raised since the last wait.
    /// - Throws: `CancellationError`.
    public func wait() async throws {
        try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { continuation in
                let outcome = state.withLock { state -> Result<Void, any Error>? in
                    if Task.isCancelled { return .failure(CancellationError()) }
                    if state.raised {
                        state.raised = false
                        return .success(())
                    }
                    precondition(state.waiter == nil, "a Signal has one waiter")
                    state.waiter = continuation
                    return nil
                }
                if let outcome { continuation.resume(with: outcome) }
            }
        } onCancel: {
            let waiter = state.withLock { state in
                defer { state.waiter = nil }
                return state.waiter
            }
            waiter?.resume(throwing: CancellationError())
        }
    }

    /// Waits for the signal, `duration` at most.
    /// - Returns: whether it was raised.
    /// - Throws: `CancellationError`.
    @discardableResult
    public func wait(atMost duration: Duration, time: any TimeSource) async throws -> Bool {
        do {
            try await withDeadline(duration, time: time) { try await self.wait() }
            return true
        } catch is DeadlineExceeded {
            return false
        }
    }
}
