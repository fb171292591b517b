package import Core
import Synchronization

/// How long each node takes to begin to answer a read, and what follows from it: who is asked first, when another is asked
/// beside it, and when a slow node is tried again. Safe to use from any thread.
///
/// Asking a second copy after a delay, within a budget, is the hedged request of Dean and Barroso, "The Tail at Scale" (2013).
package final class ReadLatencies: Sendable {
    private struct Estimate {
        /// Exponentially weighted.
        var seconds: Double
        /// When a slow node may be asked first again, and how long after that if it is still slow.
        var probeAt: MonotonicInstant
        var probePause: Duration
    }

    private struct State {
        var estimates: [NodeID: Estimate] = [:]
        var hedges = ReadLatencies.hedgeBurst
    }

    /// The weight of the newest answer.
    private static let weight = 0.3
    /// A node is slow when it takes so many times as long as the fastest of those that could be asked, and this long at least.
    private static let slowFactor = 4.0
    private static let slowSeconds = 0.005
    private static let shortestProbePause = Duration.seconds(1)
    private static let longestProbePause = Duration.seconds(60)
    /// Another node is asked when the first has been silent so many times as long as the fastest takes.
    private static let hedgeFactor = 3.0
    private static let hedgeSeconds = 0.010...0.500
    private static let hedgeSecondsUnknown = 0.100
    /// Hedges for each read, so that a cluster that is slow all over is not made slower.
    private static let hedgesPerRead = 0.1
    private static let hedgeBurst = 10.0

    private let state = Mutex(State())

    package init() {}

    /// `nodes`, which can all be asked, in the order in which they should be: slow ones last, but for one that it is time to try.
    package func order(_ nodes: [NodeID], at now: MonotonicInstant) -> [NodeID] {
        guard nodes.count > 1 else { return nodes }
        return state.withLock { state in
            guard let best = Self.best(nodes, state) else { return nodes }
            var fast: [NodeID] = []
            var slow: [NodeID] = []
            for node in nodes {
                guard var estimate = state.estimates[node], Self.isSlow(estimate, best) else {
                    fast.append(node)
                    continue
                }
                guard slow.isEmpty, fast.isEmpty, now >= estimate.probeAt else {
                    slow.append(node)
                    continue
                }
                // Half open: one read finds out how it is; the others go on without it.
                estimate.probePause = min(estimate.probePause * 2, Self.longestProbePause)
                estimate.probeAt = now + estimate.probePause
                state.estimates[node] = estimate
                fast.append(node)
            }
            return fast + slow
        }
    }

    /// How long the first of `nodes` may be silent before another is asked.
    package func hedgeDelay(among nodes: [NodeID]) -> Duration {
        let seconds = state.withLock { Self.best(nodes, $0) }.map { $0 * Self.hedgeFactor } ?? Self.hedgeSecondsUnknown
        return .seconds(min(max(seconds, Self.hedgeSeconds.lowerBound), Self.hedgeSeconds.upperBound))
    }

    /// Counts a read, which earns a part of a hedge.
    package func noteRead() {
        state.withLock { $0.hedges = min($0.hedges + Self.hedgesPerRead, Self.hedgeBurst) }
    }

    /// Whether the budget has room for asking another node. Does not take it.
    package var hasHedge: Bool { state.withLock { $0.hedges >= 1 } }

    /// Whether the budget has room for asking another node; takes it if so.
    package func takeHedge() -> Bool {
        state.withLock { state in
            guard state.hedges >= 1 else { return false }
            state.hedges -= 1
            return true
        }
    }

    /// A node began to answer after `duration`.
    package func note(_ duration: Duration, of node: NodeID, at now: MonotonicInstant) { note(duration, of: node, at: now, isWhole: true) }

    /// A node was given up after `duration`, before it began to answer.
    package func noteGivenUp(_ duration: Duration, of node: NodeID, at now: MonotonicInstant) {
        note(duration, of: node, at: now, isWhole: false)
    }

    private func note(_ duration: Duration, of node: NodeID, at now: MonotonicInstant, isWhole: Bool) {
        let seconds = Double(duration.nanoseconds) / 1e9
        state.withLock { state in
            var estimate =
                state.estimates[node]
                ?? Estimate(seconds: seconds, probeAt: now + Self.shortestProbePause, probePause: Self.shortestProbePause)
            if isWhole {
                if seconds * 2 < estimate.seconds { estimate.probePause = Self.shortestProbePause }
                estimate.seconds += (seconds - estimate.seconds) * Self.weight
            } else {
                // Nobody knows how much longer it would have taken: no reason to think better of it, and none to take the average
                // with what it was. Near the bound of what is slow that would have it asked first again and again.
                estimate.seconds = max(estimate.seconds, seconds)
            }
            state.estimates[node] = estimate
        }
    }

    private static func best(_ nodes: [NodeID], _ state: State) -> Double? { nodes.compactMap { state.estimates[$0]?.seconds }.min() }

    private static func isSlow(_ estimate: Estimate, _ best: Double) -> Bool {
        estimate.seconds > slowSeconds && estimate.seconds > best * slowFactor
    }
}
