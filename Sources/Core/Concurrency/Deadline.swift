/// An operation took longer than it was given.
public struct DeadlineExceeded: Error, Hashable, Sendable {
    public init() {}
}

/// Runs `operation`, cancelling it when `duration` has passed first. Returns only when the operation has ended.
/// - Throws: ``DeadlineExceeded`` when time ran out, otherwise what `operation` throws.
public func withDeadline<Value: Sendable>(
    _ duration: Duration, time: any TimeSource, operation: @escaping @Sendable () async throws -> Value
) async throws -> Value {
    try await withThrowingTaskGroup(of: Value?.self) { group in
        group.addTask { try await operation() }
        group.addTask {
            try await time.sleep(for: duration)
            return nil
        }
        defer { group.cancelAll() }
        guard let first = try await group.next(), let value = first else { throw DeadlineExceeded() }
        return value
    }
}
