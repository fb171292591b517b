import Core
import Testing

@Suite(.timeLimit(.minutes(1))) struct SeamTests {
    @Test("SplitMix64 gives its published sequence, and equal seeds equal ones")
    func splitMix() {
        let random = SeededRandom(seed: 1_234_567)
        #expect((0..<3).map { _ in random.next() } == [6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423])
        let (one, other) = (SeededRandom(seed: 5), SeededRandom(seed: 5))
        for _ in 0..<100 { #expect(one.next() == other.next()) }
        for _ in 0..<1000 { #expect((3..<9).contains(one.next(in: 3..<9))) }
    }

    @Test("durations become whole units, rounded towards zero")
    func units() {
        #expect(Duration.milliseconds(1500).milliseconds == 1500)
        #expect(Duration.microseconds(1999).milliseconds == 1)
        #expect(Duration.seconds(3).nanoseconds == 3_000_000_000)
        #expect(Timestamp(millisecondsSince1970: 5).advanced(by: .seconds(2)) == Timestamp(millisecondsSince1970: 2005))
        #expect(MonotonicInstant(nanoseconds: 7) + .nanoseconds(5) - MonotonicInstant(nanoseconds: 2) == .nanoseconds(10))
    }

    @Test("the machine's monotonic clock does not go back, and sleeping ends when the task is cancelled")
    func systemTime() async {
        let time = SystemTime()
        var last = time.monotonicNow()
        for _ in 0..<1000 {
            let now = time.monotonicNow()
            #expect(now >= last)
            last = now
        }
        let sleeper = Task { try await time.sleep(for: .seconds(3600)) }
        sleeper.cancel()
        await #expect(throws: CancellationError.self) { try await sleeper.value }
    }

    @Test("a thread pool runs everything it is given and hands back values and errors")
    func threadPool() async throws {
        struct Failure: Error, Equatable { let number: Int }
        let executor = ThreadPoolExecutor(threadCount: 3)
        await withTaskGroup(of: Void.self) { tasks in
            for number in 0..<200 {
                tasks.addTask {
                    if number % 3 == 0 {
                        await #expect(throws: Failure(number: number)) { try await executor.run { throw Failure(number: number) } }
                    } else {
                        #expect((try? await executor.run { number }) == number)
                    }
                }
            }
        }
    }
}

@Suite(.timeLimit(.minutes(1))) struct SignalTests {
    /// Sleeps until it is cancelled, or not at all.
    private struct StoppedTime: TimeSource {
        let isOver: Bool
        func now() -> Timestamp { Timestamp(millisecondsSince1970: 0) }
        func monotonicNow() -> MonotonicInstant { MonotonicInstant(nanoseconds: 0) }
        func sleep(for duration: Duration) async throws {
            while !isOver {
                try Task.checkCancellation()
                await Task.yield()
            }
        }
    }

    @Test("a signal raised while nobody waits is kept, and several are kept as one")
    func kept() async throws {
        let signal = Signal()
        signal.raise()
        signal.raise()
        try await signal.wait()
        let waiter = Task { try await signal.wait() }
        for _ in 0..<10 { await Task.yield() }
        waiter.cancel()
        await #expect(throws: CancellationError.self) { try await waiter.value }
    }

    @Test("a signal wakes who waits, also after a wait that was cancelled")
    func wakes() async throws {
        let signal = Signal()
        for round in 0..<50 {
            let waiter = Task { try await signal.wait() }
            if round % 2 == 0 { await Task.yield() }
            if round % 5 == 0 {
                waiter.cancel()
                _ = await waiter.result
            }
            signal.raise()
            if round % 5 == 0 { try await signal.wait() } else { try await waiter.value }
        }
    }

    @Test("a wait with a limit returns when the time is over, or the signal comes")
    func limited() async throws {
        try await Signal().wait(atMost: .seconds(1), time: StoppedTime(isOver: true))
        let signal = Signal()
        signal.raise()
        try await signal.wait(atMost: .seconds(1), time: StoppedTime(isOver: false))
    }

    @Test("an operation that outlasts its deadline is cancelled; one that does not gives its value or its error")
    func deadline() async throws {
        struct Failure: Error {}
        #expect(try await withDeadline(.seconds(1), time: StoppedTime(isOver: false)) { 5 } == 5)
        await #expect(throws: Failure.self) {
            try await withDeadline(.seconds(1), time: StoppedTime(isOver: false)) { throw Failure() }
        }
        let wasCancelled = Shared(false)
        await #expect(throws: DeadlineExceeded.self) {
            try await withDeadline(.seconds(1), time: StoppedTime(isOver: true)) {
                while !Task.isCancelled { await Task.yield() }
                wasCancelled.value = true
            }
        }
        #expect(wasCancelled.value)
    }
}
