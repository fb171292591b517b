import Client
import Core
import Synchronization
import Testing

@Suite("Progress and retries")
struct ProgressTests {
    private static func at(_ seconds: Double) -> MonotonicInstant { MonotonicInstant(nanoseconds: Int64(seconds * 1e9)) }

    @Test(
        "bytes are shown with few digits",
        arguments: [
            (0, "0 B"), (1_023, "1023 B"), (1_024, "1.0 KiB"), (1_536, "1.5 KiB"), (1_048_575, "1.0 MiB"), (10 << 30, "10.0 GiB"),
            (Int64.max, "8192.0 PiB"),
        ])
    func bytes(count: Int64, text: String) { #expect(formatBytes(count) == text) }

    @Test(
        "durations are shown with two units",
        arguments: [
            (-5, "0s"), (59, "59s"), (60, "1m00s"), (3_725, "1h02m"), (90_000, "1d01h"),
        ])
    func durations(seconds: Int, text: String) { #expect(formatDuration(.seconds(seconds)) == text) }

    @Test("the rate is that of the last seconds, and the remaining time follows from it")
    func rate() {
        var meter = ProgressMeter(totalByteCount: 10_000, time: Self.at(0))
        #expect(meter.bytesPerSecond == nil)
        #expect(meter.remainingTime == nil)
        for second in 1...10 { meter.record(Int64(second * 100), at: Self.at(Double(second))) }
        #expect(abs((meter.bytesPerSecond ?? 0) - 100) < 1)
        #expect(meter.remainingTime == .seconds(90))
        for second in 11...20 { meter.record(Int64(1_000 + (second - 10) * 400), at: Self.at(Double(second))) }
        #expect(abs((meter.bytesPerSecond ?? 0) - 400) < 4)
        #expect(meter.remainingTime == .seconds(13))
    }

    @Test("what was there before does not count for the rate")
    func resumedRate() {
        var meter = ProgressMeter(totalByteCount: 10_000, startingAt: 9_000, time: Self.at(0))
        meter.record(9_100, at: Self.at(1))
        #expect(abs((meter.bytesPerSecond ?? 0) - 100) < 1)
        #expect(meter.fraction == 0.91)
    }

    @Test("a transfer that began again has no rate from before")
    func restarted() {
        var meter = ProgressMeter(totalByteCount: 1_000, time: Self.at(0))
        meter.record(900, at: Self.at(1))
        meter.record(10, at: Self.at(2))
        #expect(meter.bytesPerSecond == nil)
        #expect(meter.fraction == 0.01)
    }

    @Test("many small steps are kept in little memory and give the same rate")
    func manySteps() {
        var meter = ProgressMeter(totalByteCount: 1 << 40, time: Self.at(0))
        for step in 1...100_000 { meter.record(Int64(step) * 1_000, at: Self.at(Double(step) / 10_000)) }
        #expect(abs((meter.bytesPerSecond ?? 0) / 10_000_000 - 1) < 0.05)
        #expect(meter.sampleCount < 50)
    }

    @Test("the line fits the terminal and shows bar, amount, rate and remaining time", arguments: [20, 60, 80, 200])
    func line(width: Int) {
        var meter = ProgressMeter(totalByteCount: 100 << 20, time: Self.at(0))
        meter.record(50 << 20, at: Self.at(5))
        let line = meter.line(name: "a rather long name of a file\u{1B}[2J.bin", width: width)
        #expect(line.count <= width)
        #expect(!line.contains("\u{1B}"))
        #expect(line.contains("50%"))
        if width >= 80 {
            #expect(line.contains("50.0 MiB of 100.0 MiB"))
            #expect(line.contains("10.0 MiB/s"))
            #expect(line.contains(" 5s"))
            let filled = line.filter { $0 == "#" }.count
            #expect(abs(filled - line.filter { $0 == "-" }.count) <= 1)
            #expect(filled > 0)
        }
    }

    @Test("an empty file is at its end")
    func emptyFile() { #expect(ProgressMeter(totalByteCount: 0, time: Self.at(0)).fraction == 1) }

    /// A clock that only remembers how long it was asked to wait.
    private final class RecordedTime: TimeSource {
        private let waits = Mutex<[Duration]>([])
        var all: [Duration] { waits.withLock { $0 } }
        func now() -> Timestamp { Timestamp(millisecondsSince1970: 0) }
        func monotonicNow() -> MonotonicInstant { MonotonicInstant(nanoseconds: 0) }
        func sleep(for duration: Duration) async throws { waits.withLock { $0.append(duration) } }
    }

    @Test("pauses between attempts grow to a limit, and attempts end")
    func backoff() async throws {
        let time = RecordedTime()
        var policy = RetryPolicy(limit: 12, time: time, random: SeededRandom(seed: 3))
        let lost = ClientError.connectionLost(detail: "x")
        for _ in 0..<12 { try await policy.wait(after: lost) { _ in } }
        await #expect(throws: lost) { try await policy.wait(after: lost) { _ in } }
        for (index, wait) in time.all.enumerated() {
            let whole = min(RetryPolicy.firstDelay * (1 << index), RetryPolicy.longestDelay)
            #expect(wait >= whole / 2 && wait <= whole)
        }
        policy.progressed()
        try await policy.wait(after: lost) { _ in }
        #expect(time.all.last.map { $0 <= RetryPolicy.firstDelay } == true)
    }

    @Test("the server's own wish for a pause is respected, within reason; what cannot help is not tried again")
    func retryAfter() async throws {
        let time = RecordedTime()
        var policy = RetryPolicy(limit: 5, time: time)
        try await policy.wait(after: .unavailable(detail: "x", retryAfter: .seconds(7))) { _ in }
        try await policy.wait(after: .unavailable(detail: "x", retryAfter: .seconds(86_400))) { _ in }
        #expect(time.all == [.seconds(7), RetryPolicy.longestRetryAfter])
        let final = ClientError.corrupt(detail: "x")
        await #expect(throws: final) { try await policy.wait(after: final) { _ in } }
        #expect(time.all.count == 2)
    }
}
