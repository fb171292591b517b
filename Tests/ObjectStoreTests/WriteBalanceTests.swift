import Core
import Foundation
import ObjectStore
import Placement
import Testing

@Suite("The choice of a blob's name")
struct WriteBalanceTests {
    private static let chunkSize = 8 * 1024 * 1024
    private static let seeds: ClosedRange<UInt64> = 1...200
    private let partitions = PartitionMap(partitionCount: 1024)

    private func layout(weights: [Double], replicas: Int, random: SeededRandom) throws -> Layout {
        let made = Timestamp(millisecondsSince1970: 1_700_000_000_000)
        let members = weights.map { LayoutMember(node: NodeID(time: made, random: random), weight: $0) }
        return try Layout.initial(members: members, replicas: replicas)
    }

    /// Bytes on the fullest node over its fair share, after 2,000 files of sizes log-uniform from 1 KiB to 64 MiB.
    private func fullest(seed: UInt64, replicas: Int, weights: [Double]) throws -> Double {
        let random = SeededRandom(seed: seed)
        let layout = try layout(weights: weights, replicas: replicas, random: random)
        let balance = WriteBalance()
        var byteCounts: [NodeID: Int] = [:]
        for number in 0..<2000 {
            let time = Timestamp(millisecondsSince1970: 1_700_000_000_000 + Int64(number))
            let candidates = (0..<WriteBalance.candidateCount).map { _ in BlobID(time: time, random: random) }
            let blob = balance.best(of: candidates, layout: layout, partitions: partitions)
            var rest = Int(1024 * pow(65_536, Double(random.next() >> 11) * 0x1p-53))
            var index: UInt32 = 0
            while rest > 0 {
                let byteCount = min(rest, Self.chunkSize)
                for node in layout.nodes(of: partitions.partition(of: ChunkID(blob: blob, index: index))) {
                    balance.add(byteCount, to: node)
                    byteCounts[node, default: 0] += byteCount
                }
                rest -= byteCount
                index += 1
            }
        }
        let total = Double(byteCounts.values.reduce(0, +))
        let weight = weights.reduce(0, +)
        return layout.members.map { Double(byteCounts[$0.node] ?? 0) / (total * $0.weight / weight) }.max() ?? 0
    }

    @Test("over 2,000 mixed files the fullest of six nodes holds at most 1.10 of the mean", arguments: [1, 2, 3])
    func fillsEvenly(replicas: Int) throws {
        let ratios = try Self.seeds.map {
            (seed: $0, ratio: try fullest(seed: $0, replicas: replicas, weights: .init(repeating: 1, count: 6)))
        }
        let worst = try #require(ratios.max { $0.ratio < $1.ratio })
        print("2,000 mixed files, \(replicas) copies, 6 nodes, \(ratios.count) seeds: fullest over mean, worst \(worst.ratio)")
        #expect(worst.ratio <= 1.10, "seed \(worst.seed)")
    }

    @Test("a node of twice the weight is given twice as much")
    func followsWeights() throws {
        let ratios = try (1...20).map { try fullest(seed: $0, replicas: 1, weights: [1, 1, 2, 1, 1, 2]) }
        #expect(try #require(ratios.max()) <= 1.10)
    }

    @Test("what was given under an earlier layout does not count")
    func beginsAgainWithALayout() throws {
        let random = SeededRandom(seed: 7)
        let first = try layout(weights: [1, 1], replicas: 1, random: random)
        let second = try first.next(members: first.members, replicas: 1)
        let balance = WriteBalance()
        let candidates = (0..<64).map { _ in BlobID(time: Timestamp(millisecondsSince1970: 0), random: random) }
        func node(_ layout: Layout) -> NodeID {
            let blob = balance.best(of: candidates, layout: layout, partitions: partitions)
            return layout.nodes(of: partitions.partition(of: ChunkID(blob: blob, index: 0)))[0]
        }
        let before = node(first)
        balance.add(1, to: before)
        #expect(node(first) != before)
        #expect(node(second) == before)
    }
}
