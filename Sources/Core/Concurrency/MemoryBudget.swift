/// Bytes that may be held in memory at once for one purpose. Safe to use from any thread.
///
/// A lease ends when nothing refers to it any more: whoever holds bytes holds their lease, so that a budget is exact however
/// many queues the bytes pass through and however they end.
public final class MemoryBudget: Sendable {
    /// The right to hold some bytes.
    public final class Lease: Sendable {
        private let budget: MemoryBudget
        private let byteCount: Int

        fileprivate init(of byteCount: Int, from budget: MemoryBudget) {
            self.byteCount = byteCount
            self.budget = budget
        }

        deinit { budget.giveBack(byteCount) }
    }

    private let permits: AsyncPermits
    private let whole: MemoryBudget?

    /// - Parameters:
    ///   - byteCount: the most that is leased at once.
    ///   - whole: a larger budget of which this one is a share: every lease counts in both.
    public init(byteCount: Int, within whole: MemoryBudget? = nil) {
        permits = AsyncPermits(count: byteCount)
        self.whole = whole
    }

    /// A lease, if it can be had without waiting.
    public func leaseIfAvailable(_ byteCount: Int) -> Lease? { take(byteCount) ? Lease(of: byteCount, from: self) : nil }

    /// Waits its turn for a lease. One beyond the whole budget waits until nothing else is held.
    /// - Throws: `CancellationError`.
    public func lease(_ byteCount: Int) async throws -> Lease {
        try await waitToTake(byteCount)
        return Lease(of: byteCount, from: self)
    }

    private func take(_ byteCount: Int) -> Bool {
        guard permits.acquireIfAvailable(byteCount) else { return false }
        guard let whole, !whole.take(byteCount) else { return true }
        permits.release(byteCount)
        return false
    }

    private func waitToTake(_ byteCount: Int) async throws {
        try await permits.acquire(byteCount)
        do {
            try await whole?.waitToTake(byteCount)
        } catch {
            permits.release(byteCount)
            throw error
        }
    }

    private func giveBack(_ byteCount: Int) {
        permits.release(byteCount)
        whole?.giveBack(byteCount)
    }
}
