package import Core

/// What is concluded about a node from how its calls end. A pure value: fed by the probes and by every failed call.
package struct NodeHealth: Sendable {
    private let downAfter: Duration
    private var lastSuccess: MonotonicInstant?
    package private(set) var failingSince: MonotonicInstant?

    package init(downAfter: Duration) { self.downAfter = downAfter }

    package mutating func succeeded(at now: MonotonicInstant) {
        lastSuccess = now
        failingSince = nil
    }

    package mutating func failed(at now: MonotonicInstant) {
        if failingSince == nil { failingSince = now }
    }

    package func state(at now: MonotonicInstant) -> NodeState {
        guard let failingSince else { return lastSuccess == nil ? .suspect : .up }
        // A node that has never answered cannot have just failed.
        guard lastSuccess != nil else { return .down }
        return now - failingSince < downAfter ? .suspect : .down
    }
}
