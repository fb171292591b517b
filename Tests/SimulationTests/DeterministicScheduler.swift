import Core
import Dispatch
import Foundation
import Synchronization

/// Runs Swift concurrency on the calling thread alone, in an order drawn from a seed, under virtual time.
///
/// The runtime's hook for jobs of the global executor hands every job that this thread makes ready to the scheduler
/// instead of the thread pool; jobs of other threads (the test runner's) go on as usual. Equal seeds give equal histories
/// as long as the code under test takes time, randomness and threads only from the seams of `Core`.
final class DeterministicScheduler: TimeSource {
    struct Deadlock: Error, CustomStringConvertible {
        let description = "no task can run and none sleeps: a deadlock"
    }

    struct OutOfTime: Error, CustomStringConvertible {
        let limit: Duration
        var description: String { "not finished after \(limit) of virtual time" }
    }

    private struct Sleeper {
        let deadline: Int64
        let order: Int
        let continuation: CheckedContinuation<Void, any Error>
    }

    private struct State {
        var ready: [UnownedJob] = []
        var sleepers: [Int: Sleeper] = [:]
        var sleepCount = 0
        var nanoseconds: Int64 = 0
        var fingerprint: UInt64 = 0
    }

    /// Virtual time starts at this wall-clock moment, 2026-01-01T00:00:00Z.
    private static let epochMilliseconds: Int64 = 1_767_225_600_000

    let random: SeededRandom
    private let state = Mutex(State())

    init(seed: UInt64) { random = SeededRandom(seed: seed) }

    /// Tells two histories apart: mixed from the choice made at every step and the time at which it was made.
    var fingerprint: UInt64 { state.withLock { $0.fingerprint } }

    /// Runs `body` to its end, with every task that it starts.
    /// - Throws: what `body` throws; ``Deadlock``; ``OutOfTime``.
    func run<Value: Sendable>(limit: Duration, _ body: @escaping @Sendable () async throws -> Value) throws -> Value {
        GlobalExecutorHook.install()
        precondition(GlobalExecutorHook.scheduler == nil, "one simulation a thread at a time")
        GlobalExecutorHook.scheduler = self
        defer { GlobalExecutorHook.scheduler = nil }
        let outcome = Outcome<Value>()
        Task {
            do {
                outcome.set(.success(try await body()))
            } catch {
                outcome.set(.failure(error))
            }
        }
        while true {
            if let result = outcome.get() { return try result.get() }
            if let job = nextJob() {
                job.runSynchronously(on: PlaceholderExecutor.shared.asUnownedSerialExecutor())
            } else {
                try wakeNextSleeper(limit: limit)
            }
        }
    }

    private static let thread = DispatchQueue(label: "simulation apart")

    /// The same on a thread of its own: histories that take long leave the pool's few threads to other tests.
    func runApart<Value: Sendable>(limit: Duration, _ body: @escaping @Sendable () async throws -> Value) async throws -> Value {
        try await withCheckedThrowingContinuation { continuation in
            Self.thread.async { continuation.resume(with: Result { try self.run(limit: limit, body) }) }
        }
    }

    fileprivate func enqueue(_ job: UnownedJob) { state.withLock { $0.ready.append(job) } }

    private func nextJob() -> UnownedJob? {
        state.withLock { state in
            guard !state.ready.isEmpty else { return nil }
            let index = random.next(in: 0..<state.ready.count)
            state.fingerprint = mix64(
                state.fingerprint ^ UInt64(index) ^ UInt64(state.ready.count) << 32 ^ UInt64(bitPattern: state.nanoseconds) << 8)
            return state.ready.remove(at: index)
        }
    }

    private func wakeNextSleeper(limit: Duration) throws {
        let sleeper = try state.withLock { state in
            guard let next = state.sleepers.values.min(by: { ($0.deadline, $0.order) < ($1.deadline, $1.order) }) else {
                throw Deadlock()
            }
            guard next.deadline <= limit.nanoseconds else { throw OutOfTime(limit: limit) }
            state.nanoseconds = max(state.nanoseconds, next.deadline)
            state.sleepers[next.order] = nil
            return next
        }
        sleeper.continuation.resume()
    }

    // MARK: TimeSource

    func now() -> Timestamp {
        Timestamp(millisecondsSince1970: Self.epochMilliseconds + state.withLock { $0.nanoseconds } / 1_000_000)
    }

    func monotonicNow() -> MonotonicInstant { MonotonicInstant(nanoseconds: state.withLock { $0.nanoseconds }) }

    func sleep(for duration: Duration) async throws {
        let order = state.withLock { state in
            state.sleepCount += 1
            return state.sleepCount
        }
        try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { continuation in
                let cancelled = state.withLock { state in
                    if Task.isCancelled { return true }
                    state.sleepers[order] = Sleeper(
                        deadline: state.nanoseconds + max(0, duration.nanoseconds), order: order, continuation: continuation)
                    return false
                }
                if cancelled { continuation.resume(throwing: CancellationError()) }
            }
        } onCancel: {
            let sleeper = state.withLock { $0.sleepers.removeValue(forKey: order) }
            sleeper?.continuation.resume(throwing: CancellationError())
        }
    }
}

private final class Outcome<Value: Sendable>: Sendable {
    private let result = Mutex<Result<Value, any Error>?>(nil)
    func set(_ value: Result<Value, any Error>) { result.withLock { $0 = value } }
    func get() -> Result<Value, any Error>? { result.withLock { $0 } }
}

/// What the runtime takes for the current executor while a job runs; `Task.yield` comes back to it.
private final class PlaceholderExecutor: SerialExecutor {
    static let shared = PlaceholderExecutor()
    func enqueue(_ job: UnownedJob) {
        guard let scheduler = GlobalExecutorHook.scheduler else { preconditionFailure("a simulated task on a foreign thread") }
        scheduler.enqueue(job)
    }
}

/// The Swift runtime's hook for `swift_task_enqueueGlobal`, and the scheduler of each thread that runs a simulation.
private enum GlobalExecutorHook {
    private typealias Original = @convention(thin) (UnownedJob) -> Void
    private typealias Hook = @convention(thin) (UnownedJob, Original) -> Void

    private static let schedulerKey: pthread_key_t = {
        var key = pthread_key_t()
        let code = pthread_key_create(&key, nil)
        precondition(code == 0, "no thread-local storage left")
        return key
    }()

    static var scheduler: DeterministicScheduler? {
        get { pthread_getspecific(schedulerKey).map { Unmanaged<DeterministicScheduler>.fromOpaque($0).takeUnretainedValue() } }
        set { pthread_setspecific(schedulerKey, newValue.map { UnsafeRawPointer(Unmanaged.passUnretained($0).toOpaque()) }) }
    }

    private static let installed: Bool = {
        guard let symbol = dlsym(dlopen(nil, RTLD_NOW), "swift_task_enqueueGlobal_hook") else {
            preconditionFailure("this Swift runtime has no swift_task_enqueueGlobal_hook")
        }
        _ = schedulerKey
        symbol.assumingMemoryBound(to: Hook?.self).pointee = { job, original in
            if let scheduler = GlobalExecutorHook.scheduler { scheduler.enqueue(job) } else { original(job) }
        }
        return true
    }()

    static func install() { precondition(installed) }
}
