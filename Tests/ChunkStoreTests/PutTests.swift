import ChunkStore
import Core
import NIOCore
import Testing

@Suite("Putting")
struct PutTests {
    private let id = StoreFixture.id(1)

    @Test("bytes that do not match their checksums are refused, and the sender is told to stop", arguments: [5_000, 1 << 20])
    func damagedInTransit(size: Int) async throws {
        let store = try await StoreFixture.open(SimulatedDisk())
        var pieces = StoreFixture.pieces(StoreFixture.bytes(size, seed: 1))
        let last = pieces.removeLast()
        var bytes = last.bytes
        let position = bytes.readerIndex + bytes.readableBytes / 2
        bytes.setInteger((bytes.getInteger(at: position, as: UInt8.self) ?? 0) ^ 4, at: position)
        pieces.append(Piece(bytes: bytes, checksums: last.checksums))
        let queue = try StoreFixture.queue(pieces)
        await #expect(throws: ChunkStoreError.damagedInTransit(id)) { _ = try await store.put(id, descriptor: [], pieces: queue) }
        #expect(throws: BoundedQueue<Piece>.Cancelled.self) { _ = try queue.offer(last) }
        await expectNothing(store)
    }

    @Test("a payload that ends with an error leaves nothing", arguments: [0, 5_000, 1 << 20])
    func endsWithError(size: Int) async throws {
        struct HungUp: Error {}
        let disk = SimulatedDisk()
        let store = try await StoreFixture.open(disk)
        try await store.put(StoreFixture.id(2), StoreFixture.bytes(200_000, seed: 2))
        let before = try #require(disk.content(of: "00000001.segment"))
        let queue = try StoreFixture.queue(StoreFixture.pieces(StoreFixture.bytes(size, seed: 1)), throwing: HungUp())
        await #expect(throws: HungUp.self) { _ = try await store.put(id, descriptor: [], pieces: queue) }
        #expect(store.stat(id) == nil)
        #expect(disk.content(of: "00000001.segment") == before)
        let second = try await reopen(disk, store)
        #expect(second.all().map(\.id) == [StoreFixture.id(2)])
    }

    @Test("a piece that ends within a block may only be the last one")
    func shortPieceInTheMiddle() async throws {
        let store = try await StoreFixture.open(SimulatedDisk())
        let short = Piece(checksumming: ByteBuffer(bytes: [1, 2, 3]))
        let queue = try StoreFixture.queue([short, short])
        await expectFailure(.invalid) { _ = try await store.put(id, descriptor: [], pieces: queue) }
        await expectNothing(store)
    }

    @Test("too large a descriptor or fragment is refused")
    func limits() async throws {
        let store = try await StoreFixture.open(SimulatedDisk())
        let descriptor = [UInt8](repeating: 1, count: ChunkStore.Limits.maximumDescriptorSize)
        try await store.put(StoreFixture.id(2), [], descriptor: descriptor)
        #expect(try await store.descriptor(of: StoreFixture.id(2)) == descriptor)
        await expectFailure(.invalid) { try await store.put(id, [], descriptor: descriptor + [1]) }
        let large = Piece(checksumming: ByteBuffer(repeating: 0, count: Piece.maximumSize + Piece.blockSize))
        let queue = try StoreFixture.queue([large])
        await expectFailure(.invalid) { _ = try await store.put(id, descriptor: [], pieces: queue) }
        #expect(store.all().map(\.id) == [StoreFixture.id(2)])
    }

    @Test("a fragment of more than the limit is refused in mid-put and leaves nothing, small or large", arguments: [64 << 10, 4 << 20])
    func limitOfAFragment(limit: Int) async throws {
        let disk = SimulatedDisk()
        var configuration = StoreFixture.configuration(smallFragmentLimit: 256 << 10)
        configuration.maximumFragmentSize = limit
        let store = try await StoreFixture.open(disk, configuration: configuration)
        try await store.put(StoreFixture.id(2), StoreFixture.bytes(limit, seed: 2))
        for excess in [1, Piece.blockSize, limit] {
            await expectFailure(.invalid) { try await store.put(id, StoreFixture.bytes(limit + excess, seed: 1)) }
        }
        #expect(store.stat(id) == nil)
        #expect(try await reopen(disk, store).all().map(\.id) == [StoreFixture.id(2)])
    }

    @Test(
        "the latest put of a name counts, before and after restarts",
        arguments: [[10, 100_000], [100_000, 10], [10, 10], [100_000, 90_000]])
    func replacing(sizes: [Int]) async throws {
        let disk = SimulatedDisk()
        let store = try await StoreFixture.open(disk)
        for (version, size) in sizes.enumerated() { try await store.put(id, StoreFixture.bytes(size, seed: version)) }
        let expected = StoreFixture.bytes(sizes[1], seed: 1)
        #expect(try await store.bytes(id) == expected)
        #expect(store.statistics().liveBytes == sizes[1])
        let second = try await reopen(disk, store)
        #expect(try await second.bytes(id) == expected)
        #expect(second.statistics().fragmentCount == 1)
    }

    @Test("writers of small fragments share their fdatasyncs")
    func sharedSyncs() async throws {
        let directory = try TemporaryDirectory()
        defer { directory.remove() }
        let disk = ObservedDisk(try PosixDisk(directory: directory.path))
        let store = try await StoreFixture.open(disk, executor: ThreadPoolExecutor(threadCount: 2), random: SystemRandom())
        let before = disk.synchronizations
        let (writers, each) = (64, 20)
        try await withThrowingTaskGroup(of: Void.self) { group in
            for writer in 0..<writers {
                group.addTask {
                    for number in 0..<each {
                        try await store.put(StoreFixture.id(writer * each + number), [UInt8](repeating: 7, count: 4096))
                    }
                }
            }
            try await group.waitForAll()
        }
        #expect(store.statistics().fragmentCount == writers * each)
        #expect(disk.synchronizations - before < writers * each / 4)
        await store.close()
    }

    @Test("more large fragments at once than lanes are all stored, in few segments")
    func lanes() async throws {
        let directory = try TemporaryDirectory()
        defer { directory.remove() }
        let executor = ThreadPoolExecutor(threadCount: 4)
        let disk = try PosixDisk(directory: directory.path)
        let store = try await StoreFixture.open(
            disk, configuration: StoreFixture.configuration(segmentSize: 64 << 20), executor: executor, random: SystemRandom())
        try await withThrowingTaskGroup(of: Void.self) { group in
            for number in 0..<40 {
                group.addTask {
                    let bytes = StoreFixture.bytes(300_000 + number, seed: number)
                    if number % 4 == 3 {
                        let queue = try StoreFixture.queue(StoreFixture.pieces(bytes), throwing: CancellationError())
                        _ = try? await store.put(StoreFixture.id(number), descriptor: [], pieces: queue)
                    } else {
                        try await store.put(StoreFixture.id(number), bytes)
                    }
                }
            }
            try await group.waitForAll()
        }
        #expect(store.statistics().segmentCount <= 4)
        await store.close()
        let second = try await StoreFixture.open(disk, executor: executor, random: SystemRandom())
        #expect(second.statistics().fragmentCount == 30)
        for number in 0..<40 where number % 4 != 3 {
            #expect(try await second.bytes(StoreFixture.id(number)) == StoreFixture.bytes(300_000 + number, seed: number))
        }
        await second.close()
    }

    @Test("a writer that is cancelled while it waits for a lane leaves the lanes usable")
    func cancelledWhileWaiting() async throws {
        let store = try await StoreFixture.open(SimulatedDisk())
        // Four writers that do not come to an end hold all lanes.
        let open = (0..<4).map { _ in BoundedQueue<Piece>(capacity: 8) }
        let first = StoreFixture.pieces(StoreFixture.bytes(128 << 10, seed: 1))[0]
        var holders: [Task<FragmentInfo, any Error>] = []
        for (number, queue) in open.enumerated() {
            _ = try queue.offer(first)
            holders.append(Task { try await store.put(StoreFixture.id(number), descriptor: [], pieces: queue) })
        }
        try await eventually { store.statistics().segmentCount == 4 }
        let waiting = Task { try await store.put(StoreFixture.id(10), StoreFixture.bytes(200_000, seed: 10)) }
        waiting.cancel()
        await #expect(throws: CancellationError.self) { try await waiting.value }
        for queue in open { queue.finish() }
        for holder in holders { _ = try await holder.value }
        for number in 20..<30 { try await store.put(StoreFixture.id(number), StoreFixture.bytes(200_000, seed: number)) }
        #expect(store.statistics().fragmentCount == 14)
    }

    private func reopen(_ disk: SimulatedDisk, _ store: ChunkStore) async throws -> ChunkStore {
        disk.crash(random: SeededRandom(seed: 3))
        return try await StoreFixture.open(disk)
    }

    private func expectNothing(_ store: ChunkStore) async {
        #expect(store.stat(id) == nil)
        #expect(store.all().isEmpty)
        await #expect(throws: ChunkStoreError.notFound(id)) { _ = try await store.bytes(id) }
    }
}
