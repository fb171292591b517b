/// A moment of wall-clock time, in milliseconds since 1970-01-01T00:00:00Z.
public struct Timestamp: Hashable, Sendable, Comparable {
    public let millisecondsSince1970: Int64

    public init(millisecondsSince1970: Int64) { self.millisecondsSince1970 = millisecondsSince1970 }

    public static func < (left: Timestamp, right: Timestamp) -> Bool {
        left.millisecondsSince1970 < right.millisecondsSince1970
    }

    public func advanced(by duration: Duration) -> Timestamp {
        Timestamp(millisecondsSince1970: millisecondsSince1970 + duration.milliseconds)
    }
}

/// A moment of a clock that never goes back, in nanoseconds since an arbitrary start. Only differences mean anything.
public struct MonotonicInstant: Hashable, Sendable, Comparable {
    public let nanoseconds: Int64

    public init(nanoseconds: Int64) { self.nanoseconds = nanoseconds }

    /// Whole seconds since that start.
    public var seconds: Int64 { nanoseconds / 1_000_000_000 }

    public static func < (left: MonotonicInstant, right: MonotonicInstant) -> Bool { left.nanoseconds < right.nanoseconds }
    public static func - (left: MonotonicInstant, right: MonotonicInstant) -> Duration {
        .nanoseconds(left.nanoseconds - right.nanoseconds)
    }
    public static func + (left: MonotonicInstant, right: Duration) -> MonotonicInstant {
        MonotonicInstant(nanoseconds: left.nanoseconds + right.nanoseconds)
    }
}

extension Duration {
    /// Whole milliseconds, rounded towards zero.
    public var milliseconds: Int64 { components.seconds * 1_000 + components.attoseconds / 1_000_000_000_000_000 }
    /// Whole nanoseconds, rounded towards zero.
    public var nanoseconds: Int64 { components.seconds * 1_000_000_000 + components.attoseconds / 1_000_000_000 }
}

/// Time as the store sees it: the system's, or a simulator's. Nothing above ``Core`` asks the system for the time itself.
public protocol TimeSource: Sendable {
    /// Wall-clock time. May jump; use it for what people read and for the age of things on disk.
    func now() -> Timestamp
    /// For measuring how long something took, and for deadlines.
    func monotonicNow() -> MonotonicInstant
    /// Suspends for at least `duration`.
    /// - Throws: `CancellationError` as soon as the task is cancelled.
    func sleep(for duration: Duration) async throws
}

/// The machine's clocks.
public struct SystemTime: TimeSource {
    private static let start = ContinuousClock.now

    public init() {}

    public func now() -> Timestamp {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return Timestamp(millisecondsSince1970: Int64(time.tv_sec) * 1_000 + Int64(time.tv_nsec) / 1_000_000)
    }

    public func monotonicNow() -> MonotonicInstant {
        MonotonicInstant(nanoseconds: Self.start.duration(to: .now).nanoseconds)
    }

    public func sleep(for duration: Duration) async throws { try await Task.sleep(for: duration) }
}

#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif
