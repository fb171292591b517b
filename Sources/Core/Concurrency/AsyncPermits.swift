import Synchronization

/// A fixed number of permits, given in the order of asking. Safe to use from any thread.
public final class AsyncPermits: Sendable {
    private struct Waiter {
        let ticket: Int
        let count: Int
        let continuation: CheckedContinuation<Void, any Error>
    }

    private struct State {
        var available: Int
        var nextTicket = 0
        var waiters: [Waiter] = []
    }

    private let total: Int
    private let state: Mutex<State>

    public init(count: Int) {
        precondition(count > 0)
        total = count
        state = Mutex(State(available: count))
    }

    /// What can be had without waiting and without overtaking anybody.
    public func acquireIfAvailable(_ count: Int = 1) -> Bool {
        state.withLock { state in
            let count = min(count, total)
            guard state.waiters.isEmpty, state.available >= count else { return false }
            state.available -= count
            return true
        }
    }

    /// Waits for `count` permits; for all there are when that is more.
    /// - Throws: `CancellationError` when the calling task is cancelled before its turn.
    public func acquire(_ count: Int = 1) async throws {
        let count = min(count, total)
        let ticket = state.withLock { state in
            state.nextTicket += 1
            return state.nextTicket
        }
        try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { continuation in
                let outcome = state.withLock { state -> Result<Void, any Error>? in
                    if Task.isCancelled { return .failure(CancellationError()) }
                    if state.waiters.isEmpty, state.available >= count {
                        state.available -= count
                        return .success(())
                    }
                    state.waiters.append(Waiter(ticket: ticket, count: count, continuation: continuation))
                    return nil
                }
                if let outcome { continuation.resume(with: outcome) }
            }
        } onCancel: {
            let (cancelled, served) = state.withLock { state -> (Waiter?, [Waiter]) in
                guard let index = state.waiters.firstIndex(where: { $0.ticket == ticket }) else { return (nil, []) }
                let cancelled = state.waiters.remove(at: index)
                // It may have been what smaller requests behind it waited for.
                return (cancelled, Self.serve(&state))
            }
            cancelled?.continuation.resume(throwing: CancellationError())
            for waiter in served { waiter.continuation.resume() }
        }
    }

    /// Gives back what ``acquire(_:)`` or ``acquireIfAvailable(_:)`` gave for the same `count`.
    public func release(_ count: Int = 1) {
        let served = state.withLock { state in
            state.available += min(count, total)
            return Self.serve(&state)
        }
        for waiter in served { waiter.continuation.resume() }
    }

    private static func serve(_ state: inout State) -> [Waiter] {
        var served: [Waiter] = []
        while let next = state.waiters.first, next.count <= state.available {
            state.available -= next.count
            served.append(state.waiters.removeFirst())
        }
        return served
    }

    public func withPermit<Value>(_ body: () async throws -> Value) async throws -> Value {
        try await acquire()
        defer { release() }
        return try await body()
    }
}
