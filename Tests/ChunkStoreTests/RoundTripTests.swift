import ChunkStore
import Core
import Testing

@Suite("Round trips")
struct RoundTripTests {
    static let block = Piece.blockSize
    static let sizes = [
        0, 1, block - 1, block, block + 1, 128 << 10, (128 << 10) + 1, 256 << 10, (256 << 10) + 1, (1 << 20) - 1, 8 << 20,
    ]

    @Test("what was put comes back, before and after a restart, at every boundary of size", arguments: sizes)
    func roundTrip(size: Int) async throws {
        let disk = SimulatedDisk()
        let bytes = StoreFixture.bytes(size, seed: size)
        let descriptor = StoreFixture.bytes(size % 300, seed: 5)
        let id = StoreFixture.id(size, fragment: 3)
        let store = try await StoreFixture.open(disk)
        let info = try await store.put(id, bytes, descriptor: descriptor)
        #expect(info == FragmentInfo(id: id, byteCount: size))
        try await check(store, id, bytes, descriptor)
        // Without closing: the second store reads the segments' tails, the third one the checkpoint.
        disk.crash(random: SeededRandom(seed: 1))
        let second = try await StoreFixture.open(disk)
        try await check(second, id, bytes, descriptor)
        await second.close()
        let third = try await StoreFixture.open(disk)
        try await check(third, id, bytes, descriptor)
        await third.close()
    }

    private func check(_ store: ChunkStore, _ id: FragmentID, _ bytes: [UInt8], _ descriptor: [UInt8]) async throws {
        #expect(store.stat(id)?.byteCount == bytes.count)
        #expect(try await store.bytes(id) == bytes)
        #expect(try await store.descriptor(of: id) == descriptor)
        let totals = store.statistics()
        #expect(totals.fragmentCount == 1)
        #expect(totals.liveBytes == bytes.count)
    }
}
