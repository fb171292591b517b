import ChunkStore
import Core
import NIOCore
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

    @Test(
        "a range gives the whole blocks that it touches, and no others",
        arguments: [40_000, 100_000, 3 << 20],
        [0..<1, 65_535..<65_537, 70_000..<70_001, 0..<0, 524_288..<1_048_577, (3 << 20) - 1..<3 << 20])
    func ranges(size: Int, range: Range<Int>) async throws {
        let store = try await StoreFixture.open(SimulatedDisk())
        let bytes = StoreFixture.bytes(size, seed: size)
        let id = StoreFixture.id(1)
        try await store.put(id, bytes)
        guard range.upperBound <= size else {
            await expectFailure(.invalid) { _ = try await store.bytes(id, range) }
            return
        }
        let block = Piece.blockSize
        let start = range.lowerBound / block * block
        let end = range.isEmpty ? start : min((range.upperBound + block - 1) / block * block, size)
        #expect(try await store.bytes(id, range) == Array(bytes[start..<end]))
    }

    @Test("pieces of one block each and of the largest size give the same fragment", arguments: [Piece.blockSize, Piece.maximumSize])
    func pieceSizes(pieceSize: Int) async throws {
        let store = try await StoreFixture.open(SimulatedDisk())
        let bytes = StoreFixture.bytes(3_000_001, seed: 3)
        try await store.put(StoreFixture.id(1), bytes, pieceSize: pieceSize)
        #expect(try await store.bytes(StoreFixture.id(1)) == bytes)
    }

    @Test("no piece delivered is larger than a message may be")
    func deliveredPieces() async throws {
        let store = try await StoreFixture.open(SimulatedDisk())
        try await store.put(StoreFixture.id(1), StoreFixture.bytes(5 << 20, seed: 3))
        _ = try await store.get(StoreFixture.id(1), range: nil) { piece in
            #expect(piece.bytes.readableBytes <= Piece.maximumSize && piece.bytes.readableBytes > 0)
            #expect(piece.verify())
        }
    }

    @Test("what a reader throws ends the reading and is thrown on")
    func throwingReader() async throws {
        struct Stop: Error {}
        let store = try await StoreFixture.open(SimulatedDisk())
        try await store.put(StoreFixture.id(1), StoreFixture.bytes(5 << 20, seed: 3))
        await #expect(throws: Stop.self) { _ = try await store.get(StoreFixture.id(1), range: nil) { _ in throw Stop() } }
        #expect(store.stat(StoreFixture.id(1)) != nil)
    }

    @Test("the pages of a listing hold every fragment once, whatever their size", arguments: [1, 2, 10, 1000])
    func listing(limit: Int) async throws {
        let store = try await StoreFixture.open(SimulatedDisk())
        let ids = Set((0..<300).map { StoreFixture.id($0) })
        for id in ids { try await store.put(id, [1, 2, 3]) }
        let listed = store.all(limit: limit)
        #expect(listed.count == ids.count)
        #expect(Set(listed.map(\.id)) == ids)
        #expect(store.list(after: nil, limit: limit).fragments.count == min(limit, 300))
    }

    @Test("what is stored during the whole listing is listed, while the index grows under it")
    func listingWhileGrowing() async throws {
        let store = try await StoreFixture.open(SimulatedDisk())
        let ids = Set((0..<200).map { StoreFixture.id($0) })
        for id in ids { try await store.put(id, [1]) }
        var listed: Set<FragmentID> = []
        var cursor: UInt64?
        var added = 1000
        repeat {
            let page = store.list(after: cursor, limit: 5)
            listed.formUnion(page.fragments.map(\.id))
            cursor = page.next
            for _ in 0..<(added < 4_000 ? 50 : 0) {
                try await store.put(StoreFixture.id(added), [2])
                added += 1
            }
        } while cursor != nil
        #expect(listed.isSuperset(of: ids))
    }

    @Test("a closed store refuses every call")
    func closed() async throws {
        let store = try await StoreFixture.open(SimulatedDisk())
        await store.close()
        await store.close()
        await #expect(throws: ChunkStoreError.closed) { try await store.put(StoreFixture.id(1), [1]) }
        await #expect(throws: ChunkStoreError.closed) { _ = try await store.bytes(StoreFixture.id(1)) }
        await #expect(throws: ChunkStoreError.closed) { try await store.delete([StoreFixture.id(1)]) }
        await #expect(throws: ChunkStoreError.closed) { _ = try await store.compact() }
        await #expect(throws: ChunkStoreError.closed) { try await store.checkpoint() }
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
