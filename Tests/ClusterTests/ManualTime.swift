import Core
import Synchronization

/// A clock that moves when a test moves it. Sleepers wake in the order of their deadlines.
final class ManualTime: TimeSource {
    private struct Sleeper {
        let deadline: Duration
        let continuation: CheckedContinuation<Void, any Error>
    }

    private struct State {
        var elapsed = Duration.zero
        var sleepers: [Int: Sleeper] = [:]
        var last = 0
        var slept: [Duration] = []
    }

    private let state = Mutex(State())

    /// Every duration that somebody went to sleep for, in order.
    var slept: [Duration] { state.withLock { $0.slept } }
    var isSomebodyAsleep: Bool { state.withLock { !$0.sleepers.isEmpty } }

    func now() -> Timestamp { Timestamp(millisecondsSince1970: state.withLock { $0.elapsed }.milliseconds) }
    func monotonicNow() -> MonotonicInstant { MonotonicInstant(nanoseconds: state.withLock { $0.elapsed }.nanoseconds) }

    func advance(by duration: Duration) {
        let due = state.withLock { state in
            state.elapsed += duration
            let due = state.sleepers.filter { $0.value.deadline <= state.elapsed }.sorted { $0.value.deadline < $1.value.deadline }
            for (number, _) in due { state.sleepers[number] = nil }
            return due.map(\.value.continuation)
        }
        for continuation in due { continuation.resume() }
    }

    func sleep(for duration: Duration) async throws {
        let number = state.withLock { state in
            state.last += 1
            return state.last
        }
        try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { continuation in
                let isCancelled = state.withLock { state in
                    if Task.isCancelled { return true }
                    state.slept.append(duration)
                    state.sleepers[number] = Sleeper(deadline: state.elapsed + duration, continuation: continuation)
                    return false
                }
                if isCancelled { continuation.resume(throwing: CancellationError()) }
            }
        } onCancel: {
            state.withLock { $0.sleepers.removeValue(forKey: number) }?.continuation.resume(throwing: CancellationError())
        }
    }
}
