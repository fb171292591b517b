import Core
import Foundation
import Placement
import Testing

/// How evenly six nodes fill up.
@Suite struct FillingTests {
    private static let chunkSize = 8 * 1024 * 1024
    /// `CHUNKFLOW_SEEDS=n` sets how many are tried.
    private static let seeds = 1...(ProcessInfo.processInfo.environment["CHUNKFLOW_SEEDS"].flatMap(UInt64.init) ?? 20)
    private let map = PartitionMap(partitionCount: 1024)

    /// Bytes on the fullest node over the mean, when blobs of the sizes that `size` draws are written.
    /// - Parameter limits: the number of blobs and of chunks at which to stop.
    private func fullest(seed: UInt64, replicas: Int, blobs: Int, chunks: Int, size: (SeededRandom) -> Int) throws -> Double {
        let random = SeededRandom(seed: seed)
        let made = Timestamp(millisecondsSince1970: 1_700_000_000_000)
        let members = (0..<6).map { _ in LayoutMember(node: NodeID(time: made, random: random)) }
        let layout = try Layout.initial(members: members, replicas: replicas, partitionCount: 1024)
        var byteCounts: [NodeID: Int] = [:]
        var chunkCount = 0
        for number in 0..<blobs {
            guard chunkCount < chunks else { break }
            let blob = BlobID(time: made.advanced(by: .milliseconds(number)), random: random)
            var rest = size(random)
            var index: UInt32 = 0
            while rest > 0 && chunkCount < chunks {
                let byteCount = min(rest, Self.chunkSize)
                for node in layout.nodes(of: map.partition(of: ChunkID(blob: blob, index: index))) {
                    byteCounts[node, default: 0] += byteCount
                }
                rest -= byteCount
                index += 1
                chunkCount += 1
            }
        }
        #expect(chunks == .max || chunkCount == chunks)
        let total = byteCounts.values.reduce(0, +)
        return Double(byteCounts.values.max() ?? 0) * 6 / Double(total)
    }

    @Test("over 10,000 chunks the fullest of six nodes holds at most 1.05 of the mean", arguments: [1, 2, 3])
    func chunks(replicas: Int) throws {
        let ratios = try Self.seeds.map { seed in
            try fullest(seed: seed, replicas: replicas, blobs: .max, chunks: 10_000) { (1 + $0.next(in: 0..<64)) * Self.chunkSize }
        }
        let worst = try #require(ratios.max())
        print("10,000 chunks, \(replicas) copies, 6 nodes, \(ratios.count) seeds: fullest over mean, worst \(worst)")
        #expect(worst <= 1.05)
    }

    /// Sizes are log-uniform from 1 KiB to 64 MiB: a few hundred large files decide.
    @Test("over 2,000 mixed files the fullest of six nodes holds at most 1.10 of the mean", arguments: [2, 3])
    func files(replicas: Int) throws {
        let ratios = try Self.seeds.map { seed in
            try fullest(seed: seed, replicas: replicas, blobs: 2000, chunks: .max) { random in
                Int(1024 * pow(65_536, Double(random.next() >> 11) * 0x1p-53))
            }
        }
        let worst = try #require(ratios.max())
        print("2,000 mixed files, \(replicas) copies, 6 nodes, \(ratios.count) seeds: fullest over mean, worst \(worst)")
        #expect(worst <= 1.10)
    }
}
