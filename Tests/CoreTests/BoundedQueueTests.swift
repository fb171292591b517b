import Core
import Testing

@Suite(.timeLimit(.minutes(1))) struct BoundedQueueTests {
    private struct Failure: Error {}

    /// Lets other tasks run until `condition` holds.
    private func wait(until condition: () -> Bool) async {
        while !condition() { await Task.yield() }
    }

    @Test("elements come out in the order in which they went in, through a full and an empty queue", arguments: [1, 2, 7, 100])
    func order(capacity: Int) async throws {
        let queue = BoundedQueue<Int>(capacity: capacity)
        async let received = queue.reduce(into: [Int]()) { $0.append($1) }
        for number in 0..<1000 {
            try await queue.send(number)
            if number % 97 == 0 { await Task.yield() }
        }
        queue.finish()
        #expect(try await received == Array(0..<1000))
    }

    @Test("a queue takes no more than its capacity until the consumer takes something")
    func backPressure() async throws {
        let queue = BoundedQueue<Int>(capacity: 2)
        #expect(try queue.offer(1))
        #expect(!queue.isFull)
        #expect(try queue.offer(2))
        #expect(queue.isFull)
        #expect(try !queue.offer(3))
        let sent = Shared(false)
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask {
                try await queue.send(3)
                sent.value = true
            }
            for _ in 0..<100 { await Task.yield() }
            #expect(!sent.value)
            #expect(try await queue.next() == 1)
            try await group.waitForAll()
        }
        #expect(try await queue.next() == 2)
        #expect(try await queue.next() == 3)
    }

    @Test("the consumer drains what was queued before it learns of the end, or of the error")
    func finish() async throws {
        let queue = BoundedQueue<Int>(capacity: 2)
        _ = try queue.offer(1)
        queue.finish()
        queue.finish(throwing: Failure())
        #expect(try await queue.next() == 1)
        #expect(try await queue.next() == nil)
        #expect(try await queue.next() == nil)

        let failing = BoundedQueue<Int>(capacity: 2)
        _ = try failing.offer(1)
        failing.finish(throwing: Failure())
        #expect(try await failing.next() == 1)
        await #expect(throws: Failure.self) { try await failing.next() }
    }

    @Test("a waiting consumer learns of the end at once", arguments: [true, false])
    func finishWhileWaiting(failing: Bool) async throws {
        let queue = BoundedQueue<Int>(capacity: 1)
        let consumer = Task { try await queue.next() }
        await Task.yield()
        queue.finish(throwing: failing ? Failure() : nil)
        if failing {
            await #expect(throws: Failure.self) { try await consumer.value }
        } else {
            #expect(try await consumer.value == nil)
        }
    }

    @Test("a consumer that goes ends the producer's waiting and every later send")
    func consumerGoes() async throws {
        let queue = BoundedQueue<Int>(capacity: 1)
        try await queue.send(1)
        let producer = Task { try await queue.send(2) }
        await Task.yield()
        queue.cancel()
        await #expect(throws: BoundedQueue<Int>.Cancelled.self) { try await producer.value }
        await #expect(throws: BoundedQueue<Int>.Cancelled.self) { try await queue.send(3) }
        #expect(throws: BoundedQueue<Int>.Cancelled.self) { try queue.offer(3) }
    }

    @Test("a producer whose task is cancelled stops waiting; the queue goes on")
    func producerCancelled() async throws {
        let queue = BoundedQueue<Int>(capacity: 1)
        try await queue.send(1)
        let producer = Task { try await queue.send(2) }
        for _ in 0..<10 { await Task.yield() }
        producer.cancel()
        await #expect(throws: CancellationError.self) { try await producer.value }
        #expect(try await queue.next() == 1)
        try await queue.send(3)
        #expect(try await queue.next() == 3)
    }

    @Test("a consumer whose task is cancelled stops waiting; the queue goes on")
    func consumerCancelled() async throws {
        let queue = BoundedQueue<Int>(capacity: 1)
        let consumer = Task { try await queue.next() }
        for _ in 0..<10 { await Task.yield() }
        consumer.cancel()
        await #expect(throws: CancellationError.self) { try await consumer.value }
        try await queue.send(1)
        #expect(try await queue.next() == 1)
    }

    @Test("who is cancelled before it waits does not wait")
    func cancelledBefore() async throws {
        let empty = BoundedQueue<Int>(capacity: 1)
        let full = BoundedQueue<Int>(capacity: 1)
        try await full.send(1)
        for queue in [empty, full] {
            let task = Task {
                while !Task.isCancelled { await Task.yield() }
                if queue.isFull { try await queue.send(2) } else { _ = try await queue.next() }
            }
            task.cancel()
            await #expect(throws: CancellationError.self) { try await task.value }
        }
    }

    @Test("cancelling, finishing and taking at once neither lose nor double anything", arguments: UInt64(0)..<20)
    func races(seed: UInt64) async throws {
        let random = SeededRandom(seed: seed)
        let queue = BoundedQueue<Int>(capacity: 1 + random.next(in: 0..<3))
        let stopAfter = random.next(in: 0..<200)
        let accepted = Shared(0)
        let producer = Task {
            for number in 0..<300 {
                try await queue.send(number)
                accepted.change { $0 += 1 }
            }
            queue.finish()
        }
        var received: [Int] = []
        for try await number in queue {
            received.append(number)
            if received.count == stopAfter { producer.cancel() }
            if received.count == accepted.value, producer.isCancelled, (try? await producer.value) == nil { break }
        }
        #expect(received == Array(0..<received.count), "seed \(seed)")
        queue.cancel()
        _ = await producer.result
        #expect(received.count <= 300, "seed \(seed)")
    }

    @Test("what has queued up can be taken at once, in order, and makes room for a waiting producer")
    func takeQueued() async throws {
        let queue = BoundedQueue<Int>(capacity: 3)
        #expect(queue.takeQueued().isEmpty)
        for number in 0..<3 { try await queue.send(number) }
        let producer = Task { try await queue.send(3) }
        #expect(queue.takeQueued() == [0, 1, 2])
        try await producer.value
        #expect(queue.takeQueued() == [3])
    }

    @Test("an abandoned queue drops what is in it and fails its consumer, whether that waits or comes later; the end stays the end")
    func abandon() async throws {
        let queue = BoundedQueue<Int>(capacity: 3)
        try await queue.send(1)
        queue.abandon(throwing: Failure())
        await #expect(throws: Failure.self) { try await queue.next() }

        let waitedFor = BoundedQueue<Int>(capacity: 3)
        let consumer = Task { try await waitedFor.next() }
        for _ in 0..<100 { await Task.yield() }
        waitedFor.abandon(throwing: Failure())
        await #expect(throws: Failure.self) { try await consumer.value }

        let unread = BoundedQueue<Int>(capacity: 3)
        try await unread.send(1)
        unread.finish()
        unread.abandon(throwing: Failure())
        await #expect(throws: Failure.self) { try await unread.next() }

        let ended = BoundedQueue<Int>(capacity: 3)
        ended.finish()
        ended.abandon(throwing: Failure())
        #expect(try await ended.next() == nil, "all of it had been taken: nothing is missing")
    }
}
