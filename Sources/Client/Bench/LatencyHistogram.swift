internal import Core

/// Counts durations in buckets whose width grows with them, so that every percentile is known to within 1.6 % in a few kilobytes, however many
/// were counted. (The idea of HdrHistogram, without its settings.)
package struct LatencyHistogram: Sendable {
    /// Buckets between one power of two and the next.
    private static let bucketsPerOctave = 64
    private static let octaveShift = 6
    /// Nanoseconds: more than nine hours count as these.
    private static let longest: UInt64 = 1 << 45

    private var counts: [UInt64] = []
    private var sum: Double = 0
    package private(set) var count: UInt64 = 0
    private var maximumNanoseconds: UInt64 = 0

    package init() {}

    package mutating func record(_ duration: Duration) {
        let nanoseconds = min(UInt64(clamping: duration.nanoseconds), Self.longest)
        let bucket = Self.bucket(of: nanoseconds)
        if bucket >= counts.count { counts.append(contentsOf: repeatElement(0, count: bucket - counts.count + 1)) }
        counts[bucket] += 1
        count += 1
        sum += Double(nanoseconds)
        maximumNanoseconds = max(maximumNanoseconds, nanoseconds)
    }

    package mutating func merge(_ other: LatencyHistogram) {
        if other.counts.count > counts.count { counts.append(contentsOf: repeatElement(0, count: other.counts.count - counts.count)) }
        for (bucket, number) in other.counts.enumerated() { counts[bucket] += number }
        count += other.count
        sum += other.sum
        maximumNanoseconds = max(maximumNanoseconds, other.maximumNanoseconds)
    }

    /// Seconds; nil while nothing was counted.
    package var mean: Double? { count > 0 ? sum / Double(count) / 1e9 : nil }

    /// Seconds; nil while nothing was counted.
    package var maximum: Double? { count > 0 ? Double(maximumNanoseconds) / 1e9 : nil }

    /// The time, in seconds, within which this share of all was done; nil while nothing was counted.
    /// - Parameter share: 0...1.
    package func percentile(_ share: Double) -> Double? {
        precondition((0...1).contains(share))
        guard count > 0 else { return nil }
        let rank = max(1, UInt64((share * Double(count)).rounded(.up)))
        var seen: UInt64 = 0
        for (bucket, number) in counts.enumerated() {
            seen += number
            // The upper end of the bucket: nothing is made to look faster than it was.
            if seen >= rank { return Double(min(Self.upperEnd(of: bucket), maximumNanoseconds)) / 1e9 }
        }
        return maximum
    }

    /// Small values have a bucket each; above, the six bits after the highest one choose it.
    private static func bucket(of value: UInt64) -> Int {
        guard value >= UInt64(bucketsPerOctave) else { return Int(value) }
        let shift = UInt64.bitWidth - 1 - value.leadingZeroBitCount - octaveShift
        return (shift + 1) * bucketsPerOctave + Int(value >> UInt64(shift)) - bucketsPerOctave
    }

    private static func upperEnd(of bucket: Int) -> UInt64 {
        guard bucket >= bucketsPerOctave else { return UInt64(bucket) }
        let shift = UInt64(bucket / bucketsPerOctave - 1)
        return (UInt64(bucket % bucketsPerOctave + bucketsPerOctave + 1) << shift) - 1
    }
}
