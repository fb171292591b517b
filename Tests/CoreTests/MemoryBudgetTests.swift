import Core
import Testing

@Suite(.timeLimit(.minutes(1))) struct MemoryBudgetTests {
    private func settle() async { for _ in 0..<200 { await Task.yield() } }

    @Test("a lease lasts as long as somebody holds it")
    func lifetime() throws {
        let budget = MemoryBudget(byteCount: 10)
        var first = budget.leaseIfAvailable(6)
        var second = first
        #expect(first != nil && budget.leaseIfAvailable(6) == nil)
        first = nil
        #expect(second != nil && budget.leaseIfAvailable(6) == nil, "the other holder still has the bytes")
        second = nil
        #expect(budget.leaseIfAvailable(10) != nil)
    }

    @Test("a share counts in the whole, and what the whole refuses is not taken from the share")
    func shares() throws {
        let whole = MemoryBudget(byteCount: 10)
        let shares = [MemoryBudget(byteCount: 8, within: whole), MemoryBudget(byteCount: 8, within: whole)]
        let first = shares[0].leaseIfAvailable(7)
        #expect(first != nil && shares[1].leaseIfAvailable(4) == nil)
        let second = shares[1].leaseIfAvailable(3)
        #expect(second != nil, "the refused lease took nothing")
        #expect(shares[0].leaseIfAvailable(1) == nil && whole.leaseIfAvailable(1) == nil)
    }

    @Test("who waits for the whole and is cancelled gives its share back")
    func cancelledInTheWhole() async throws {
        let whole = MemoryBudget(byteCount: 10)
        let share = MemoryBudget(byteCount: 8, within: whole)
        var held = whole.leaseIfAvailable(10)
        let waiting = Task { _ = try await share.lease(8) }
        await settle()
        waiting.cancel()
        await #expect(throws: CancellationError.self) { try await waiting.value }
        #expect(held != nil)
        held = nil
        #expect(share.leaseIfAvailable(8) != nil)
    }

    @Test("never more than the budget is out, whatever the sizes and the order", arguments: [1, 2, 3] as [UInt64])
    func bound(seed: UInt64) async throws {
        let random = SeededRandom(seed: seed)
        let budget = MemoryBudget(byteCount: 1_000)
        let held = Shared((now: 0, most: 0))
        try await withThrowingTaskGroup(of: Void.self) { group in
            for _ in 0..<200 {
                let byteCount = random.next(in: 1..<700)
                let turns = random.next(in: 0..<5)
                group.addTask {
                    let lease = try await budget.lease(byteCount)
                    held.change { $0 = ($0.now + byteCount, max($0.most, $0.now + byteCount)) }
                    for _ in 0..<turns { await Task.yield() }
                    held.change { $0.now -= byteCount }
                    withExtendedLifetime(lease) {}
                }
            }
            try await group.waitForAll()
        }
        #expect(held.value.most <= 1_000, "seed \(seed): \(held.value.most) bytes at once")
        #expect(held.value.most > 500, "seed \(seed): nothing ran side by side")
    }
}
