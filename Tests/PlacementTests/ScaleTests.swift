import Core
import Placement
import Testing

/// Clusters larger than any test can start.
@Suite struct ScaleTests {
    #if DEBUG
        private static let largestPartitionCount = 1_024
    #else
        private static let largestPartitionCount = 65_536
    #endif

    @Test("the layout of 1,000 nodes and 65,536 partitions is made in 2 s, and the next one too")
    func thousandNodes() throws {
        let time = SystemTime()
        let start = time.monotonicNow()
        let layout = try Layout.initial(members: members(0..<1_000), replicas: 3, partitionCount: Self.largestPartitionCount)
        let first = time.monotonicNow() - start
        let next = try layout.next(members: members(0..<1_001), replicas: 3)
        let second = time.monotonicNow() - start - first
        print("1,000 nodes, \(Self.largestPartitionCount) partitions, 3 copies: first layout \(first), with a node more \(second)")
        #expect(next.movedFragments(from: layout) == next.leastMovement(from: layout))
        #if !DEBUG
            #expect(first < .seconds(2) && second < .seconds(2))
        #endif
    }

    // MARK: Repair

    /// What every node is taken to have, and to spare for this.
    private enum Assumed {
        static let lostBytes = 20e12
        /// A disk that reads and writes by turns, megabytes at a time.
        static let diskBytesPerSecond = 150e6
        /// 10 Gbit/s in either direction.
        static let networkBytesPerSecond = 1.25e9
        /// The default of `--rebalance-rate`, to each node; a sixteenth while clients are served.
        static let rate = 1024.0 * 1024 * 1024
        static let rateUnderLoad = rate / 16
    }

    /// Bytes that a node takes from others, and sends to them.
    private struct Load {
        var written = 0.0
        var read = 0.0

        func seconds(rate: Double) -> Double {
            max(
                (written + read) / Assumed.diskBytesPerSecond, max(written, read) / Assumed.networkBytesPerSecond, written / rate)
        }
    }

    /// What each survivor has to do when one of 100 nodes is gone for good.
    /// - Parameter coded: fragments of an erasure code, of which `needed` are read for each that is lost; nil for three copies.
    private func loads(partitionCount: Int, coded: (width: Int, needed: Int)?) throws -> [NodeID: Load] {
        let widths: Set<Int> = coded.map { [$0.width] } ?? []
        let layout = try Layout.initial(members: members(0..<100), replicas: 3, partitionCount: partitionCount, codedWidths: widths)
        let next = try layout.next(members: members(1..<100), replicas: 3)
        func nodes(_ layout: Layout, _ partition: Int) -> [NodeID?] {
            coded.map { layout.nodes(of: partition, codedWidth: $0.width) } ?? layout.nodes(of: partition)
        }
        let lost = nodeID(0)
        let bytesPerPartition = Assumed.lostBytes / Double((0..<partitionCount).count { nodes(layout, $0).contains(lost) })
        var loads: [NodeID: Load] = [:]
        for partition in 0..<partitionCount {
            let before = nodes(layout, partition)
            let after = nodes(next, partition)
            let survivors = before.compactMap { $0 }.filter { $0 != lost }
            for case let target? in after where !before.contains(target) {
                loads[target, default: Load()].written += bytesPerPartition
                // The first that answers has the copy; of a code the first that are enough.
                for source in survivors.prefix(coded?.needed ?? 1) { loads[source, default: Load()].read += bytesPerPartition }
            }
        }
        return loads
    }

    private static func hours(_ seconds: Double) -> String {
        let tenths = Int((seconds / 360).rounded())
        return "\(tenths / 10).\(tenths % 10) h"
    }

    @Test("a lost node of 20 TB is restored by all of the 99 others, in hours", arguments: [1_024, 8_192], [nil, 6] as [Int?])
    func lostNode(partitionCount: Int, width: Int?) throws {
        let loads = try loads(partitionCount: partitionCount, coded: width.map { ($0, 4) })
        let written = loads.values.map(\.written).filter { $0 > 0 }
        let total = written.reduce(0, +)
        func slowest(_ rate: Double) -> Double { loads.values.map { $0.seconds(rate: rate) }.max() ?? 0 }
        let alone = slowest(Assumed.rate)
        print(
            "20 TB lost of 100 nodes, \(width.map { "ec-4-\($0 - 4)" } ?? "3 copies"), \(partitionCount) partitions: "
                + "\(written.count) nodes take \(Int((written.max() ?? 0) / 1e9)) GB at most, "
                + "whole again after \(Self.hours(alone)), \(Self.hours(slowest(Assumed.rateUnderLoad))) while clients are served, "
                + "\(Self.hours(total / Assumed.diskBytesPerSecond)) if one disk took it all")
        #expect(abs(total - Assumed.lostBytes) < Assumed.lostBytes * 0.05)
        // As evenly as whole partitions allow.
        let partitions = Double(partitionCount * (width ?? 3)) / 100
        let share = (partitions / 99).rounded(.up) + 1
        #expect((written.max() ?? 0) <= share / partitions * Assumed.lostBytes * 1.05)
        #expect(Double(written.count) >= min(99, partitions) * 0.9)
        #expect(alone * 5 < total / Assumed.diskBytesPerSecond)
    }
}
