package import Core

/// What is concluded about a node from how its calls end. A pure value: fed by the probes and by every failed call.
///
/// Two things are told apart: whether the node answers, which any answer proves, and whether its disk does what it is asked. A probe
/// touches no disk, so it says nothing about the second: once a call has failed for the disk's sake the node is failing until a trial, a
/// write and a read of real bytes, has succeeded. Trials come after 1 s, and after twice as long each time that they fail, up to a minute.
package struct NodeHealth: Sendable {
    /// The disk fails, or failed lately.
    private struct Circuit: Sendable {
        let openedAt: MonotonicInstant
        /// nil while one is under way.
        var trialAt: MonotonicInstant?
    }

    private static let shortestPause = Duration.seconds(1)
    private static let longestPause = Duration.seconds(60)

    private let downAfter: Duration
    private var lastSuccess: MonotonicInstant?
    private var silentSince: MonotonicInstant?
    private var circuit: Circuit?
    /// Before the next trial; stays after the circuit has closed, for a disk that fails again soon.
    private var pause = NodeHealth.shortestPause
    private var closedAt: MonotonicInstant?

    package init(downAfter: Duration) { self.downAfter = downAfter }

    /// Since when the node has not answered, or its disk has failed; nil when all is well.
    package var failingSince: MonotonicInstant? { [silentSince, circuit?.openedAt].compactMap { $0 }.min() }

    /// The node answered.
    package mutating func succeeded(at now: MonotonicInstant) {
        lastSuccess = now
        silentSince = nil
    }

    /// The node did not answer.
    package mutating func failed(at now: MonotonicInstant) {
        if silentSince == nil { silentSince = now }
    }

    /// The node answered that its disk has failed.
    package mutating func diskFailed(at now: MonotonicInstant) {
        // What was on its way when the circuit opened says nothing new.
        guard circuit == nil else { return }
        // One that works for a moment at a time is not tried as if it had always worked.
        let isRelapse = closedAt.map { now - $0 < Self.longestPause } ?? false
        pause = isRelapse ? min(pause * 2, Self.longestPause) : Self.shortestPause
        circuit = Circuit(openedAt: now, trialAt: now + pause)
    }

    /// Whether it is time for a trial, which the caller then makes: no other is due until it has ended.
    package mutating func beginTrial(at now: MonotonicInstant) -> Bool {
        guard let trialAt = circuit?.trialAt, now >= trialAt, silentSince == nil else { return false }
        circuit?.trialAt = nil
        return true
    }

    package mutating func trialSucceeded(at now: MonotonicInstant) {
        circuit = nil
        closedAt = now
    }

    package mutating func trialFailed(at now: MonotonicInstant) {
        pause = min(pause * 2, Self.longestPause)
        circuit?.trialAt = now + pause
    }

    /// The node has started again, with another disk perhaps: it need not wait for its trial.
    package mutating func restarted(at now: MonotonicInstant) { circuit?.trialAt = now }

    package func state(at now: MonotonicInstant) -> NodeState {
        guard let silentSince else {
            if lastSuccess == nil { return .suspect }
            return circuit == nil ? .up : .failing
        }
        // A node that has never answered cannot have just failed.
        guard lastSuccess != nil else { return .down }
        return now - silentSince < downAfter ? .suspect : .down
    }
}
