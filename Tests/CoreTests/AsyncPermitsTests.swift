import Core
import Testing

@Suite(.timeLimit(.minutes(1))) struct AsyncPermitsTests {
    /// Lets other tasks run as far as they can.
    private func settle() async { for _ in 0..<200 { await Task.yield() } }

    @Test("permits are given in the order of asking: a small request does not overtake a large one that waits")
    func order() async throws {
        let permits = AsyncPermits(count: 4)
        try await permits.acquire(3)
        let served = Shared<[String]>([])
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask {
                try await permits.acquire(4)
                served.change { $0.append("large") }
                permits.release(4)
            }
            await settle()
            #expect(!permits.acquireIfAvailable(1), "one permit is free, but somebody was first")
            group.addTask {
                try await permits.acquire(1)
                served.change { $0.append("small") }
                permits.release(1)
            }
            await settle()
            #expect(served.value.isEmpty)
            permits.release(3)
            try await group.waitForAll()
        }
        #expect(served.value == ["large", "small"])
        #expect(permits.acquireIfAvailable(4), "all came back")
    }

    @Test("a request beyond all permits gets all of them, and gives no more back")
    func tooMany() async throws {
        let permits = AsyncPermits(count: 4)
        try await permits.acquire(100)
        #expect(!permits.acquireIfAvailable(1))
        permits.release(100)
        #expect(permits.acquireIfAvailable(4))
        #expect(!permits.acquireIfAvailable(1))
    }

    @Test("one that is cancelled in the queue lets those behind it pass")
    func cancellation() async throws {
        let permits = AsyncPermits(count: 2)
        try await permits.acquire(1)
        let large = Task { try await permits.acquire(2) }
        await settle()
        let small = Task { try await permits.acquire(1) }
        await settle()
        large.cancel()
        await #expect(throws: CancellationError.self) { try await large.value }
        try await small.value
        permits.release(2)
        #expect(permits.acquireIfAvailable(2), "the cancelled request took nothing")
    }
}
