import ChunkStore
import Core
import Logging
import Synchronization
import Testing

@Suite("Scrubbing at a set rate")
struct ScrubberTests {
    /// A clock that whoever sleeps moves on at once.
    private final class LeapingTime: TimeSource {
        private struct State {
            var elapsed = Duration.zero
            var slept = Duration.zero
            var sleepsLeft: Int?
        }

        private let state = Mutex(State())

        var elapsed: Duration { state.withLock { $0.elapsed } }
        var slept: Duration { state.withLock { $0.slept } }

        func now() -> Timestamp { Timestamp(millisecondsSince1970: elapsed.milliseconds) }
        func monotonicNow() -> MonotonicInstant { MonotonicInstant(nanoseconds: elapsed.nanoseconds) }
        func advance(by duration: Duration) { state.withLock { $0.elapsed += duration } }
        /// From then on nobody can sleep any more, as in a task that is cancelled.
        func cancel(afterSleeps count: Int?) { state.withLock { $0.sleepsLeft = count } }

        func sleep(for duration: Duration) async throws {
            try state.withLock { state in
                if let left = state.sleepsLeft {
                    guard left > 0 else { throw CancellationError() }
                    state.sleepsLeft = left - 1
                }
                state.elapsed += duration
                state.slept += duration
            }
        }
    }

    private final class MemoryProgress: ScrubProgressStore {
        private let saved = Mutex<ScrubProgress?>(nil)
        func load() -> ScrubProgress? { saved.withLock { $0 } }
        func save(_ progress: ScrubProgress) { saved.withLock { $0 = progress } }
    }

    private struct Scrubbed {
        let time = LeapingTime()
        let disk = ObservedDisk(SimulatedDisk())
        let progress = MemoryProgress()
        let store: ChunkStore

        init(fragments count: Int, size: Int) async throws {
            store = try await StoreFixture.open(disk, time: time)
            for number in 0..<count { try await store.put(StoreFixture.id(number), StoreFixture.bytes(size, seed: number)) }
        }

        func scrubber(period: Duration, storesOnDisk: Int = 1) -> Scrubber {
            Scrubber(
                store: store, progress: progress, period: period, storesOnDisk: storesOnDisk, time: time,
                logger: Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() }))
        }
    }

    @Test("takes a tenth of the disk's time at most, and stores on one disk take it together", arguments: [1, 4])
    func tenth(storesOnDisk: Int) async throws {
        let scrubbed = try await Scrubbed(fragments: 20, size: 1 << 20)
        let busy = Mutex(Duration.zero)
        scrubbed.disk.beforeReads { [time = scrubbed.time] in
            time.advance(by: .milliseconds(10))
            busy.withLock { $0 += .milliseconds(10) }
        }
        let start = scrubbed.time.elapsed
        try await scrubbed.scrubber(period: .milliseconds(1), storesOnDisk: storesOnDisk).pass()
        let share = busy.withLock { $0 } / (scrubbed.time.elapsed - start)
        #expect(busy.withLock { $0 } > .seconds(1))
        #expect(share <= 0.1001 / Double(storesOnDisk) && share > 0.099 / Double(storesOnDisk), "\(share)")
    }

    @Test("spreads a pass over its 30 days, whatever the sizes of the fragments")
    func pace() async throws {
        let scrubbed = try await Scrubbed(fragments: 30, size: 1_000)
        try await scrubbed.store.put(StoreFixture.id(99), StoreFixture.bytes(500_000, seed: 99))
        let start = scrubbed.time.elapsed
        let days = Duration.seconds(30 * 86_400)
        try await scrubbed.scrubber(period: days).pass()
        let taken = scrubbed.time.elapsed - start
        #expect(taken > days * 0.99 && taken < days * 1.01, "\(taken)")
    }

    @Test("goes on where it was broken off, after a restart too")
    func resumption() async throws {
        let scrubbed = try await Scrubbed(fragments: 200, size: 1_000)
        let period = Duration.seconds(200)
        var before = scrubbed.disk.readCount
        try await scrubbed.scrubber(period: period).pass()
        let readsOfAll = scrubbed.disk.readCount - before
        // In the second page of 64.
        scrubbed.time.cancel(afterSleeps: 100)
        await #expect(throws: CancellationError.self) { try await scrubbed.scrubber(period: period).pass() }
        scrubbed.time.cancel(afterSleeps: nil)
        let saved = try #require(scrubbed.progress.load())
        #expect(saved.cursor != nil && (64...128).contains(saved.fragmentCount), "\(saved)")
        before = scrubbed.disk.readCount
        try await scrubbed.scrubber(period: period).pass()
        #expect(scrubbed.disk.readCount - before == readsOfAll / 200 * (200 - 64))
        #expect(scrubbed.progress.load()?.cursor == nil && scrubbed.progress.load()?.fragmentCount == 0)
        #expect(scrubbed.progress.load()?.finishedAt != nil)
    }
}
