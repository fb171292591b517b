package import Core

/// How often a request is tried again, and how long to wait before: twice as long each time, less a random part so that
/// clients that failed together do not come back together.
package struct RetryPolicy: Sendable {
    package static let firstDelay = Duration.milliseconds(250)
    package static let longestDelay = Duration.seconds(15)
    /// A server that asks for a longer pause is asked again after this one.
    package static let longestRetryAfter = Duration.seconds(60)

    /// Failures in a row after which the request is given up.
    package let limit: Int
    private let time: any TimeSource
    private let random: any RandomSource
    private var failures = 0

    package init(limit: Int, time: any TimeSource = SystemTime(), random: any RandomSource = SystemRandom()) {
        self.limit = limit
        self.time = time
        self.random = random
    }

    /// Something was achieved: the count of failures in a row begins anew.
    package mutating func progressed() { failures = 0 }

    /// Waits until the request may be tried again.
    /// - Throws: `error` itself when it must not be; `CancellationError`.
    package mutating func wait(after error: ClientError, telling note: (String) -> Void) async throws {
        guard error.canRetry, failures < limit else { throw error }
        failures += 1
        let delay = delay(after: error)
        note("\(error); trying again (\(failures) of \(limit))")
        try await time.sleep(for: delay)
    }

    private func delay(after error: ClientError) -> Duration {
        if case .unavailable(_, let retryAfter?) = error { return min(retryAfter, Self.longestRetryAfter) }
        let whole = min(Self.firstDelay * (1 << min(failures - 1, 16)), Self.longestDelay)
        // Between half and all of it.
        return .nanoseconds(whole.nanoseconds / 2 + Int64(random.next() % UInt64(whole.nanoseconds / 2 + 1)))
    }
}
