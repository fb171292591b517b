import CoreMetrics
import Synchronization

/// The value of one metric under one set of labels. Cells are updated without locks, by any number of threads.
protocol MetricCell: AnyObject, Sendable {}

/// A double that can be added to.
struct AtomicDouble: ~Copyable, Sendable {
    private let bits = Atomic<UInt64>(0)

    var value: Double { Double(bitPattern: bits.load(ordering: .relaxed)) }

    func set(_ value: Double) { bits.store(value.bitPattern, ordering: .relaxed) }

    func add(_ amount: Double) {
        var old = bits.load(ordering: .relaxed)
        while true {
            let (exchanged, original) = bits.weakCompareExchange(
                expected: old, desired: (Double(bitPattern: old) + amount).bitPattern, ordering: .relaxed)
            if exchanged { return }
            old = original
        }
    }
}

/// Only grows. Whole numbers up to 2^53 are exact.
final class CounterCell: MetricCell, CounterHandler, FloatingPointCounterHandler {
    private let total = AtomicDouble()

    var value: Double { total.value }

    func increment(by amount: Int64) { if amount > 0 { total.add(Double(amount)) } }
    func increment(by amount: Double) { if amount > 0, amount.isFinite { total.add(amount) } }
    /// For what is counted elsewhere.
    func set(_ value: Double) { total.set(value) }
    func reset() { total.set(0) }
}

final class GaugeCell: MetricCell, MeterHandler, RecorderHandler {
    private let current = AtomicDouble()

    var value: Double { current.value }

    func set(_ value: Int64) { current.set(Double(value)) }
    func set(_ value: Double) { current.set(value) }
    func increment(by amount: Double) { current.add(amount) }
    func decrement(by amount: Double) { current.add(-amount) }
    func record(_ value: Int64) { current.set(Double(value)) }
    func record(_ value: Double) { current.set(value) }
}

final class HistogramCell: MetricCell, RecorderHandler, TimerHandler {
    let bounds: [Double]
    private let counts: Counts
    private let total = AtomicDouble()

    /// How many values fell into each bucket, the last without an upper bound.
    private final class Counts: Sendable {
        let cells: [Cell]
        final class Cell: Sendable { let count = Atomic<UInt64>(0) }
        init(_ count: Int) { cells = (0..<count).map { _ in Cell() } }
    }

    init(bounds: [Double]) {
        self.bounds = bounds
        counts = Counts(bounds.count + 1)
    }

    func record(_ value: Int64) { record(Double(value)) }

    func record(_ value: Double) {
        guard value.isFinite else { return }
        var low = 0
        var high = bounds.count
        while low < high {
            let middle = (low + high) / 2
            if value <= bounds[middle] { high = middle } else { low = middle + 1 }
        }
        counts.cells[low].count.wrappingAdd(1, ordering: .relaxed)
        total.add(value)
    }

    func recordNanoseconds(_ duration: Int64) { record(Double(duration) / 1e9) }

    /// The values up to each bound, all values, and their sum.
    var snapshot: (cumulative: [UInt64], count: UInt64, sum: Double) {
        var running: UInt64 = 0
        let cumulative = counts.cells.map { cell in
            running += cell.count.load(ordering: .relaxed)
            return running
        }
        return (Array(cumulative.dropLast()), running, total.value)
    }
}
