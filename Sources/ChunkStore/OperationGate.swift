internal import Core
import Synchronization

/// Counts the operations under way, and lets the store close when there are none. Safe to use from any thread.
final class OperationGate: Sendable {
    private struct State {
        var count = 0
        var isClosed = false
        var waiters: [CheckedContinuation<Void, Never>] = []
    }

    private let state = Mutex(State())

    /// - Throws: ``ChunkStoreError/closed``.
    func withOperation<Value>(_ body: () async throws -> Value) async throws -> Value {
        try enter()
        defer { leave() }
        do {
            return try await body()
        } catch {
            throw ChunkStoreError.translating(error)
        }
    }

    /// - Throws: ``ChunkStoreError/closed``.
    func enter() throws {
        try state.withLock { state in
            if state.isClosed { throw ChunkStoreError.closed }
            state.count += 1
        }
    }

    func leave() {
        let waiters = state.withLock { state -> [CheckedContinuation<Void, Never>] in
            state.count -= 1
            guard state.count == 0, state.isClosed else { return [] }
            defer { state.waiters = [] }
            return state.waiters
        }
        for waiter in waiters { waiter.resume() }
    }

    /// Lets nothing more in and waits until everything is out.
    /// - Returns: whether this call was the first one.
    func close() async -> Bool {
        let isFirst = state.withLock { state in
            defer { state.isClosed = true }
            return !state.isClosed
        }
        await withCheckedContinuation { continuation in
            let isEmpty = state.withLock { state in
                if state.count > 0 { state.waiters.append(continuation) }
                return state.count == 0
            }
            if isEmpty { continuation.resume() }
        }
        return isFirst
    }
}
