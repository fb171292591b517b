import Core

/// The clocks of one machine.
struct AlteredTime: TimeSource {
    let base: DeterministicScheduler
    /// Its seconds in a second.
    var rate = 1.0
    /// Of the time of day.
    let offset: Duration

    func now() -> Timestamp { base.now().advanced(by: offset) }
    func monotonicNow() -> MonotonicInstant {
        MonotonicInstant(nanoseconds: Int64(Double(base.monotonicNow().nanoseconds) * rate))
    }
    func sleep(for duration: Duration) async throws {
        try await base.sleep(for: .nanoseconds(Int64((Double(duration.nanoseconds) / rate).rounded(.up))))
    }
}
