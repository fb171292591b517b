package import Core

/// Knows how far a transfer is, how fast it has been lately, and so how long it will take. Pure: the clock is its caller's.
package struct ProgressMeter: Sendable {
    /// Over this much of the past the rate is taken: long enough to be calm, short enough to follow the network.
    package static let window = Duration.seconds(5)

    package let totalByteCount: Int64
    private var samples: [(time: MonotonicInstant, byteCount: Int64)]

    /// - Parameter byteCount: what is there already, of a transfer that goes on.
    package init(totalByteCount: Int64, startingAt byteCount: Int64 = 0, time: MonotonicInstant) {
        self.totalByteCount = totalByteCount
        samples = [(time, byteCount)]
    }

    package var byteCount: Int64 { samples.last?.byteCount ?? 0 }
    /// How much of the past is remembered, for tests.
    package var sampleCount: Int { samples.count }

    /// - Parameter byteCount: how much of the whole is there now. Less than before when a transfer had to begin again.
    package mutating func record(_ byteCount: Int64, at time: MonotonicInstant) {
        if byteCount < self.byteCount { samples.removeAll() }
        // Samples closer than a tenth of the window say nothing new: the last is moved instead.
        if samples.count > 1, time - samples[samples.count - 2].time < Self.window / 20 { samples.removeLast() }
        samples.append((time, byteCount))
        while samples.count > 2, time - samples[1].time >= Self.window { samples.removeFirst() }
    }

    /// Lately; nil while nothing can be said.
    package var bytesPerSecond: Double? {
        guard let first = samples.first, let last = samples.last else { return nil }
        let seconds = Double((last.time - first.time).nanoseconds) / 1e9
        guard seconds >= 0.05, last.byteCount > first.byteCount else { return nil }
        return Double(last.byteCount - first.byteCount) / seconds
    }

    /// nil while nothing can be said.
    package var remainingTime: Duration? {
        guard let rate = bytesPerSecond else { return nil }
        let seconds = Double(max(0, totalByteCount - byteCount)) / rate
        return seconds < 8_640_000 ? .seconds(Int64(seconds.rounded(.up))) : nil
    }

    /// 0...1.
    package var fraction: Double { totalByteCount > 0 ? min(1, Double(byteCount) / Double(totalByteCount)) : 1 }

    /// One line of at most `width` characters: name, bar, percentage, amount, rate, remaining time.
    package func line(name: String, width: Int) -> String {
        let percentage = "\(Int(fraction * 100))%".leftPadded(to: 4)
        let rate = bytesPerSecond.map { "\(formatBytes(Int64($0)))/s" } ?? "-"
        let remaining = remainingTime.map { formatDuration($0) } ?? "-"
        let figures =
            "\(percentage) \(formatBytes(byteCount).leftPadded(to: 9)) of \(formatBytes(totalByteCount))"
            + " \(rate.leftPadded(to: 11)) \(remaining.leftPadded(to: 6))"
        let room = width - figures.count - 2
        guard room >= 8 else { return String(figures.prefix(width)) }
        let nameWidth = min(24, room / 2)
        let barWidth = min(40, room - nameWidth - 2)
        let filled = Int(Double(barWidth) * fraction)
        let bar = String(repeating: "#", count: filled) + String(repeating: "-", count: barWidth - filled)
        let shown = name.printable
        let shortened = shown.count > nameWidth ? String(shown.prefix(nameWidth - 1)) + "~" : shown
        return "\(shortened.padded(to: nameWidth)) [\(bar)] \(figures)"
    }
}
