import ChunkStore
import Core
import NIOCore
import Synchronization
import Testing

@Suite("Deletion and compaction")
struct ReclaimTests {
    @Test("a deletion gives the disk's blocks back at once, and survives a crash", arguments: [300_000, 2 << 20])
    func punching(size: Int) async throws {
        let directory = try TemporaryDirectory()
        defer { directory.remove() }
        let disk = try PosixDisk(directory: directory.path)
        let store = try await StoreFixture.open(disk)
        for number in 0..<3 { try await store.put(StoreFixture.id(number), StoreFixture.bytes(size, seed: number)) }
        let used = store.statistics().usedBytes
        let before = try disk.open("00000001.segment").allocatedByteCount()
        try await store.delete([StoreFixture.id(1)])
        let after = try disk.open("00000001.segment").allocatedByteCount()
        #expect(before - after > size - 3 * 4096)
        #expect(used - store.statistics().usedBytes > size - 3 * 4096)
        await #expect(throws: ChunkStoreError.notFound(StoreFixture.id(1))) { _ = try await store.bytes(StoreFixture.id(1)) }
        await store.close()
        let second = try await StoreFixture.open(disk)
        #expect(second.stat(StoreFixture.id(1)) == nil)
        for number in [0, 2] { #expect(try await second.bytes(StoreFixture.id(number)) == StoreFixture.bytes(size, seed: number)) }
        #expect(used - second.statistics().usedBytes > size - 3 * 4096)
        await second.close()
    }

    @Test("deleting what is not there writes nothing")
    func deletingNothing() async throws {
        let disk = SimulatedDisk()
        let store = try await StoreFixture.open(disk)
        let writes = disk.count(of: .write)
        try await store.delete([StoreFixture.id(1), StoreFixture.id(1)])
        try await store.delete([])
        #expect(disk.count(of: .write) == writes)
        try await store.put(StoreFixture.id(1), [1])
        try await store.delete([StoreFixture.id(1), StoreFixture.id(1)])
        #expect(store.all().isEmpty)
        #expect(store.statistics().liveBytes == 0)
    }

    @Test("compaction gives the room of dead fragments back and loses no living one", arguments: [2_000, 30_000])
    func compaction(size: Int) async throws {
        let disk = SimulatedDisk()
        let configuration = StoreFixture.configuration(segmentSize: 256 << 10, smallFragmentLimit: 8 << 10)
        let store = try await StoreFixture.open(disk, configuration: configuration)
        let count = 4 << 20 / size
        for number in 0..<count {
            try await store.put(StoreFixture.id(number), StoreFixture.bytes(size, seed: number), descriptor: [UInt8(number % 256)])
        }
        let dead = (0..<count).filter { $0 % 4 != 0 }.map { StoreFixture.id($0) }
        for start in stride(from: 0, to: dead.count, by: 100) { try await store.delete(Array(dead[start..<min(start + 100, dead.count)])) }
        let before = store.statistics()
        let result = try await store.compact()
        #expect(result.segmentCount > 5)
        #expect(result.copiedBytes > 0)
        let after = store.statistics()
        #expect(after.segmentCount < before.segmentCount / 2)
        #expect(after.usedBytes < 2 * after.liveBytes)
        #expect(after.liveBytes == before.liveBytes)
        func check(_ store: ChunkStore) async throws {
            #expect(store.statistics().fragmentCount == count - dead.count)
            for number in stride(from: 0, to: count, by: 4) {
                #expect(try await store.bytes(StoreFixture.id(number)) == StoreFixture.bytes(size, seed: number))
                #expect(try await store.descriptor(of: StoreFixture.id(number)) == [UInt8(number % 256)])
            }
        }
        try await check(store)
        disk.crash(random: SeededRandom(seed: 1))
        try await check(try await StoreFixture.open(disk))
        #expect(try await openWithoutCheckpoint(disk).statistics().fragmentCount == count - dead.count)
    }

    private func openWithoutCheckpoint(_ disk: SimulatedDisk) async throws -> ChunkStore {
        disk.crash(random: SeededRandom(seed: 2))
        try disk.remove("checkpoint")
        return try await StoreFixture.open(disk)
    }

    @Test("what was deleted does not come back when compaction has dropped its tombstone", arguments: 1...12)
    func tombstones(seed: Int) async throws {
        let disk = SimulatedDisk()
        let random = SeededRandom(seed: UInt64(seed))
        let configuration = StoreFixture.configuration(segmentSize: 64 << 10, smallFragmentLimit: 8 << 10)
        var store = try await StoreFixture.open(disk, configuration: configuration)
        var living: Set<Int> = []
        for round in 0..<6 {
            for number in round * 30..<round * 30 + 30 {
                try await store.put(StoreFixture.id(number), StoreFixture.bytes(1_500, seed: number))
                living.insert(number)
            }
            let dead = living.filter { _ in random.next(in: 0..<3) != 0 }
            try await store.delete(dead.map { StoreFixture.id($0) })
            living.subtract(dead)
            if round % 2 == 0 { _ = try await store.compact() }
            if random.next(in: 0..<3) == 0 {
                disk.crash(random: random)
                // Everything is read again: what a tombstone no longer forbids must not be there any more.
                if random.next() & 1 == 0, try disk.list().contains("checkpoint") { try disk.remove("checkpoint") }
                store = try await StoreFixture.open(disk, configuration: configuration)
            }
        }
        #expect(Set(store.all().map(\.id)) == Set(living.map { StoreFixture.id($0) }))
    }

    @Test("a tombstone is dropped only once the mark of what it killed is durable", arguments: 1...6)
    func marksBeforeTombstones(seed: Int) async throws {
        let disk = SimulatedDisk()
        let configuration = StoreFixture.configuration(segmentSize: 64 << 10)
        var store = try await StoreFixture.open(disk, configuration: configuration)
        // The first segment stays mostly alive; the tombstones stand in the second one, with nothing else.
        var count = 0
        while store.statistics().segmentCount < 2 {
            try await store.put(StoreFixture.id(count), StoreFixture.bytes(1_000, seed: count))
            count += 1
        }
        let dead = [1, 2, 3, 4, count - 1]
        try await store.delete(dead.map { StoreFixture.id($0) })
        await store.close()
        store = try await StoreFixture.open(disk, configuration: configuration)
        #expect(try await store.compact().segmentCount == 1)
        disk.crash(random: SeededRandom(seed: UInt64(seed)))
        try disk.remove("checkpoint")
        store = try await StoreFixture.open(disk, configuration: configuration)
        #expect(store.statistics().fragmentCount == count - dead.count)
    }

    @Test("tombstones do not pile up: a store whose fragments are all deleted shrinks to nothing")
    func tombstonesGo() async throws {
        let disk = SimulatedDisk()
        let configuration = StoreFixture.configuration(segmentSize: 64 << 10)
        let store = try await StoreFixture.open(disk, configuration: configuration)
        for number in 0..<400 { try await store.put(StoreFixture.id(number), StoreFixture.bytes(1_000, seed: number)) }
        try await store.delete((0..<400).map { StoreFixture.id($0) })
        for _ in 0..<3 { _ = try await store.compact() }
        #expect(store.statistics().usedBytes < 128 << 10)
        #expect(store.statistics().segmentCount <= 2)
    }

    @Test("a fragment found corrupt by compaction is quarantined, not copied and not forgotten", arguments: [0, 64, 300])
    func corruptInCompaction(position: Int) async throws {
        let disk = SimulatedDisk()
        let configuration = StoreFixture.configuration(segmentSize: 64 << 10)
        let store = try await StoreFixture.open(disk, configuration: configuration)
        for number in 0..<80 { try await store.put(StoreFixture.id(number), StoreFixture.bytes(1_000, seed: number)) }
        try await store.delete((1..<50).map { StoreFixture.id($0) })
        disk.flipBit(file: "00000001.segment", offset: 4096 + position)
        #expect(try await store.compact().segmentCount > 0)
        #expect(store.quarantined() == [StoreFixture.id(0)])
        await store.close()
        let second = try await StoreFixture.open(disk)
        #expect(second.quarantined() == [StoreFixture.id(0)])
        #expect(second.statistics().fragmentCount == 30)
    }

    @Test("readers of what is deleted, replaced or moved under them get the right bytes or none", arguments: [false, true])
    func readingUnderChange(replacing: Bool) async throws {
        let store = try await StoreFixture.open(
            SimulatedDisk(), configuration: StoreFixture.configuration(segmentSize: 1 << 20, smallFragmentLimit: 8 << 10))
        let bytes = StoreFixture.bytes(3 << 20, seed: 1)
        let id = StoreFixture.id(1)
        try await store.put(id, bytes)
        let collected = Collected()
        let read: @Sendable () async throws -> FragmentInfo = {
            try await store.get(id, range: nil) { piece in
                if collected.isEmpty {
                    if replacing { try await store.put(id, bytes) } else { try await store.delete([id]) }
                    _ = try await store.compact()
                }
                collected.append(piece)
            }
        }
        if replacing {
            _ = try await read()
            #expect(collected.bytes == bytes)
        } else {
            await #expect(throws: ChunkStoreError.notFound(id)) { _ = try await read() }
            #expect(bytes.starts(with: collected.bytes))
        }
        #expect(store.quarantined().isEmpty)
    }
}

/// Bytes of the pieces that a reader got.
private final class Collected: Sendable {
    private let content = Mutex<[UInt8]>([])
    var bytes: [UInt8] { content.withLock { $0 } }
    var isEmpty: Bool { bytes.isEmpty }
    func append(_ piece: Piece) { content.withLock { $0.append(contentsOf: piece.bytes.readableBytesView) } }
}
