internal import Core
import Synchronization

/// Ends a transfer whose other side makes no progress. Time spent waiting for anybody else does not count.
final class StallWatch: Sendable {
    struct Stalled: Error {}

    private let limit: Duration
    private let time: any TimeSource
    private let waitingSince = Mutex<MonotonicInstant?>(nil)

    private init(limit: Duration, time: any TimeSource) {
        self.limit = limit
        self.time = time
    }

    /// From now on the other side is waited for.
    func begin() {
        let now = time.monotonicNow()
        waitingSince.withLock { $0 = now }
    }

    /// The other side has moved, or somebody else is waited for.
    func end() { waitingSince.withLock { $0 = nil } }

    func waiting<Value>(_ body: () async throws -> Value) async throws -> Value {
        begin()
        defer { end() }
        return try await body()
    }

    /// Runs `body`, cancelling it when the other side has been waited for longer than `limit` at a stretch.
    /// - Throws: ``Stalled``, or what `body` throws.
    static func run<Value: Sendable>(
        limit: Duration, time: any TimeSource, _ body: @escaping @Sendable (StallWatch) async throws -> Value
    ) async throws -> Value {
        let watch = StallWatch(limit: limit, time: time)
        return try await withThrowingTaskGroup(of: Value?.self) { group in
            group.addTask { try await body(watch) }
            group.addTask {
                try await watch.waitForStall()
                return nil
            }
            defer { group.cancelAll() }
            guard let first = try await group.next(), let value = first else { throw Stalled() }
            return value
        }
    }

    private func waitForStall() async throws {
        while true {
            let now = time.monotonicNow()
            let waited = waitingSince.withLock { $0 }.map { now - $0 } ?? .zero
            if waited >= limit { return }
            try await time.sleep(for: max(limit - waited, .milliseconds(1)))
        }
    }
}
