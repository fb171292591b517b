import Synchronization

/// Collects what many tasks submit at once into batches, and has one worker at a time handle a batch: the way that one
/// fdatasync, or one database transaction, serves many writers.
///
/// While a batch is being handled, the next one gathers; an idle one is handled at once, so a lone writer never waits for
/// company. Safe to use from any thread. A submission cannot be cancelled: it is answered when its batch is done.
public final class GroupCommit<Item: Sendable, Output: Sendable>: Sendable {
    private struct Waiting: Sendable {
        let item: Item
        let continuation: CheckedContinuation<Output, any Error>
    }

    private struct State {
        var waiting: [Waiting] = []
        var working = false
    }

    private let state = Mutex(State())
    private let maximumBatch: Int
    private let executor: any BlockingExecutor
    private let handle: @Sendable ([Item]) -> [Result<Output, any Error>]

    /// - Parameters:
    ///   - maximumBatch: the most items that one batch holds.
    ///   - executor: where `handle` runs.
    ///   - handle: answers every item of a batch, in order. Never called by two threads at once.
    public init(
        maximumBatch: Int, executor: any BlockingExecutor, handle: @escaping @Sendable ([Item]) -> [Result<Output, any Error>]
    ) {
        precondition(maximumBatch > 0)
        self.maximumBatch = maximumBatch
        self.executor = executor
        self.handle = handle
    }

    /// Waits until a batch with `item` has been handled.
    /// - Throws: what the handler answered for this item.
    public func submit(_ item: Item) async throws -> Output {
        try await withCheckedThrowingContinuation { continuation in
            let start = state.withLock { state in
                state.waiting.append(Waiting(item: item, continuation: continuation))
                defer { state.working = true }
                return !state.working
            }
            if start { Task { await self.work() } }
        }
    }

    private func work() async {
        do {
            try await executor.run { self.handleUntilIdle() }
        } catch {
            // The executor refused (it is shutting down): nobody else will answer those who wait.
            let abandoned = state.withLock { state in
                defer { state = State() }
                return state.waiting
            }
            for waiting in abandoned { waiting.continuation.resume(throwing: error) }
        }
    }

    private func handleUntilIdle() {
        while true {
            let batch = state.withLock { state -> [Waiting] in
                let batch = Array(state.waiting.prefix(maximumBatch))
                state.waiting.removeFirst(batch.count)
                if batch.isEmpty { state.working = false }
                return batch
            }
            if batch.isEmpty { return }
            let results = handle(batch.map(\.item))
            precondition(results.count == batch.count, "every item of a batch is answered")
            for (waiting, result) in zip(batch, results) { waiting.continuation.resume(with: result) }
        }
    }
}
