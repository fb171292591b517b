import Core
import Placement
import Testing

@Suite struct PartitionMapTests {
    @Test(
        "a chunk's partition never changes",
        arguments: [
            (high: UInt64(0), low: UInt64(0), index: UInt32(0), of1024: 0, of65536: 0),
            (high: 0, low: 0, index: 1, of1024: 633, of65536: 40503),
            (high: 0x0192_3A4B_5C6D_7E8F, low: 0x8123_4567_89AB_CDEF, index: 0, of1024: 691, of65536: 25267),
            (high: 0x0192_3A4B_5C6D_7E8F, low: 0x8123_4567_89AB_CDEF, index: 1, of1024: 300, of65536: 234),
            (high: 0x0192_3A4B_5C6D_7E8F, low: 0x8123_4567_89AB_CDEF, index: 1_000_000, of1024: 755, of65536: 7795),
            (high: 0x0192_3A4B_5C6D_7E90, low: 0x8123_4567_89AB_CDEF, index: 7, of1024: 212, of65536: 61190),
            (high: 0x0192_3A4B_5C6D_7E8F, low: 0x8123_4567_89AB_CDF0, index: .max, of1024: 896, of65536: 13250),
        ])
    func golden(high: UInt64, low: UInt64, index: UInt32, of1024: Int, of65536: Int) {
        let chunk = ChunkID(blob: BlobID(uuid: UUIDv7(high: high, low: low)), index: index)
        #expect(PartitionMap(partitionCount: 1024).partition(of: chunk) == of1024)
        #expect(PartitionMap(partitionCount: 65_536).partition(of: chunk) == of65536)
    }

    @Test("the chunks of a blob visit every partition before any comes twice", arguments: [1, 2, 8, 1024, 65_536])
    func walk(partitionCount: Int) {
        let map = PartitionMap(partitionCount: partitionCount)
        let blob = BlobID(time: Timestamp(millisecondsSince1970: 1_700_000_000_000), random: SeededRandom(seed: 1))
        let visited = Set((0..<partitionCount).map { map.partition(of: ChunkID(blob: blob, index: UInt32($0))) })
        #expect(visited == Set(0..<partitionCount))
    }

    @Test("blobs of one moment enter anywhere")
    func starts() {
        let map = PartitionMap(partitionCount: 64)
        let random = SeededRandom(seed: 2)
        var counts = [Int](repeating: 0, count: 64)
        for _ in 0..<64_000 {
            let blob = BlobID(time: Timestamp(millisecondsSince1970: 1_700_000_000_000), random: random)
            counts[map.partition(of: ChunkID(blob: blob, index: 0))] += 1
        }
        // Chi squared with 63 degrees of freedom: 120 is passed once in 50,000 draws.
        #expect(counts.reduce(0.0) { $0 + Double(($1 - 1000) * ($1 - 1000)) / 1000 } < 120)
    }
}
