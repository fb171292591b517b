internal import Core
import Synchronization

/// Hands out sequence numbers and knows which of them are not settled: whose commit, or the erasing of what it replaced,
/// is still under way. Safe to use from any thread.
final class SequenceLedger: Sendable {
    private struct Waiter {
        let limit: UInt64
        let continuation: CheckedContinuation<Void, Never>
    }

    private struct State {
        var next: UInt64
        var unsettled: Set<UInt64> = []
        var waiters: [Waiter] = []
        var tombstoneFloor: UInt64
    }

    private let state: Mutex<State>

    /// - Parameters:
    ///   - next: the first number to hand out.
    ///   - tombstoneFloor: see ``tombstoneFloor``.
    init(next: UInt64, tombstoneFloor: UInt64) { state = Mutex(State(next: next, tombstoneFloor: tombstoneFloor)) }

    /// Hands out a number that ``settle(_:)`` must follow.
    func draw() -> UInt64 {
        state.withLock { state in
            defer { state.next += 1 }
            state.unsettled.insert(state.next)
            return state.next
        }
    }

    /// Hands out a number that needs no settling.
    func drawSettled() -> UInt64 {
        state.withLock { state in
            defer { state.next += 1 }
            return state.next
        }
    }

    func settle(_ sequence: UInt64) {
        let ready = state.withLock { state -> [Waiter] in
            state.unsettled.remove(sequence)
            guard !state.waiters.isEmpty else { return [] }
            let oldest = state.unsettled.min() ?? .max
            let ready = state.waiters.filter { $0.limit <= oldest }
            state.waiters.removeAll { $0.limit <= oldest }
            return ready
        }
        for waiter in ready { waiter.continuation.resume() }
    }

    /// The next number to be handed out.
    var next: UInt64 { state.withLock { $0.next } }

    /// Tombstones from this number on must outlive every compaction, because a record that they kill could not be erased.
    /// `UInt64.max` when there is none.
    var tombstoneFloor: UInt64 { state.withLock { $0.tombstoneFloor } }

    /// Notes that what `sequence` killed could not be erased.
    func keepTombstones(from sequence: UInt64) {
        state.withLock { $0.tombstoneFloor = min($0.tombstoneFloor, sequence) }
    }

    /// Waits until every number below `limit` is settled.
    func waitUntilSettled(below limit: UInt64) async {
        await withCheckedContinuation { continuation in
            let isSettled = state.withLock { state in
                if (state.unsettled.min() ?? .max) >= limit { return true }
                state.waiters.append(Waiter(limit: limit, continuation: continuation))
                return false
            }
            if isSettled { continuation.resume() }
        }
    }
}
