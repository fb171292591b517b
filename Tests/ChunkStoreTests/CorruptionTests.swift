import ChunkStore
import Core
import Testing

@Suite("Decay")
struct CorruptionTests {
    private static let header = 64
    private let segment = "00000001.segment"
    private let firstRecord = 4096
    private let id = StoreFixture.id(1)

    /// Part of a record: where, for a payload of `size` bytes and a descriptor of 10.
    enum Part: CaseIterable {
        case mark, name, length, headerChecksum, payloadStart, payloadEnd, table, descriptor

        func offset(size: Int) -> Int {
            switch self {
            case .mark: 3
            case .name: 20
            case .length: 29
            case .headerChecksum: 61
            case .payloadStart: 64
            case .payloadEnd: 64 + size - 1
            case .table: 64 + size + 1
            case .descriptor: 64 + size + 4 * ((size + Piece.blockSize - 1) / Piece.blockSize) + 3
            }
        }
    }

    @Test(
        "a flipped bit is never served: the fragment is quarantined, stays so, and another put heals it", arguments: Part.allCases,
        [5_000, 700_000])
    func flippedBit(part: Part, size: Int) async throws {
        let disk = SimulatedDisk()
        let store = try await StoreFixture.open(disk)
        let bytes = StoreFixture.bytes(size, seed: 1)
        try await store.put(id, bytes, descriptor: StoreFixture.bytes(10, seed: 2))
        try await store.put(StoreFixture.id(2), [1, 2, 3])
        disk.flipBit(file: segment, offset: firstRecord + part.offset(size: size), bit: 5)

        if part == .descriptor {
            await expectFailure(.corrupt) { _ = try await store.descriptor(of: id) }
        } else {
            await expectFailure(.corrupt) { _ = try await store.bytes(id) }
        }
        #expect(store.stat(id) == nil)
        #expect(store.quarantined() == [id])
        #expect(store.statistics().quarantinedCount == 1)
        #expect(store.all().map(\.id) == [StoreFixture.id(2)])
        #expect(try await store.bytes(StoreFixture.id(2)) == [1, 2, 3])
        await store.close()

        let second = try await StoreFixture.open(disk)
        #expect(second.stat(id) == nil)
        #expect(second.quarantined() == [id])
        await expectFailure(.corrupt) { _ = try await second.bytes(id) }
        try await second.put(id, bytes)
        #expect(second.quarantined().isEmpty)
        #expect(try await second.bytes(id) == bytes)
        await second.close()
        #expect(try await StoreFixture.open(disk).bytes(id) == bytes)
    }

    @Test("a fragment that decayed while the store was closed is found corrupt when it is read again", arguments: Part.allCases)
    func decayedBeforeReplay(part: Part) async throws {
        let disk = SimulatedDisk()
        let store = try await StoreFixture.open(disk)
        try await store.put(id, StoreFixture.bytes(5_000, seed: 1), descriptor: StoreFixture.bytes(10, seed: 2))
        try await store.put(StoreFixture.id(2), [1, 2, 3])
        disk.crash(random: SeededRandom(seed: 1))
        disk.flipBit(file: segment, offset: firstRecord + part.offset(size: 5_000), bit: 1)
        let second = try await StoreFixture.open(disk)
        // Without its header, a record has lost its name too.
        let hasName = part.offset(size: 5_000) >= Self.header
        #expect(second.quarantined() == (hasName ? [id] : []))
        #expect(second.stat(id) == nil)
        #expect(try await second.bytes(StoreFixture.id(2)) == [1, 2, 3])
        try await second.put(id, [9])
        #expect(try await second.bytes(id) == [9])
        await second.close()
        #expect(try await StoreFixture.open(disk).bytes(id) == [9])
    }

    @Test("a quarantined fragment can be deleted, for good")
    func deletingQuarantined() async throws {
        let disk = SimulatedDisk()
        let store = try await StoreFixture.open(disk)
        try await store.put(id, StoreFixture.bytes(5_000, seed: 1))
        disk.flipBit(file: segment, offset: firstRecord + 100)
        await expectFailure(.corrupt) { _ = try await store.bytes(id) }
        try await store.delete([id])
        #expect(store.quarantined().isEmpty)
        disk.crash(random: SeededRandom(seed: 1))
        let second = try await StoreFixture.open(disk)
        #expect(second.quarantined().isEmpty)
        await #expect(throws: ChunkStoreError.notFound(id)) { _ = try await second.bytes(id) }
    }

    @Test("a checkpoint with a flipped bit anywhere is not believed", arguments: 0..<24)
    func flippedCheckpoint(step: Int) async throws {
        let disk = SimulatedDisk()
        let store = try await StoreFixture.open(disk)
        for number in 0..<20 { try await store.put(StoreFixture.id(number), StoreFixture.bytes(number * 100, seed: number)) }
        try await store.delete([StoreFixture.id(3)])
        await store.close()
        let size = try #require(disk.content(of: "checkpoint")).count
        disk.flipBit(file: "checkpoint", offset: size * step / 24, bit: step % 8)
        let second = try await StoreFixture.open(disk)
        #expect(second.statistics().fragmentCount == 19)
        for number in 0..<20 where number != 3 {
            #expect(try await second.bytes(StoreFixture.id(number)) == StoreFixture.bytes(number * 100, seed: number))
        }
        #expect(second.stat(StoreFixture.id(3)) == nil)
    }

    @Test("without its checkpoint a store finds everything again, deletions included")
    func lostCheckpoint() async throws {
        let disk = SimulatedDisk()
        var store = try await StoreFixture.open(disk, configuration: StoreFixture.configuration(segmentSize: 64 << 10))
        for number in 0..<40 { try await store.put(StoreFixture.id(number), StoreFixture.bytes(10_000, seed: number)) }
        try await store.delete((0..<40).filter { $0 % 3 == 0 }.map { StoreFixture.id($0) })
        await store.close()
        try disk.remove("checkpoint")
        store = try await StoreFixture.open(disk)
        #expect(Set(store.all().map(\.id)) == Set((0..<40).filter { $0 % 3 != 0 }.map { StoreFixture.id($0) }))
    }

    @Test(
        "one damaged copy of a segment's header does no harm, nor do both while the checkpoint knows the segment",
        arguments: [[16], [2064], [16, 2064]])
    func segmentHeader(offsets: [Int]) async throws {
        let disk = SimulatedDisk()
        let store = try await StoreFixture.open(disk)
        try await store.put(id, [1, 2, 3])
        await store.close()
        for offset in offsets { disk.flipBit(file: segment, offset: offset) }
        let second = try await StoreFixture.open(disk)
        #expect(try await second.bytes(id) == [1, 2, 3])
        try await second.put(StoreFixture.id(2), [4])
        await second.close()
        let third = try await StoreFixture.open(disk)
        #expect(try await third.bytes(StoreFixture.id(2)) == [4])
    }

    @Test("the fragments of a lost segment are reported corrupt, not forgotten")
    func lostSegment() async throws {
        let disk = SimulatedDisk()
        let store = try await StoreFixture.open(disk)
        try await store.put(id, [1, 2, 3])
        await store.close()
        try disk.remove(segment)
        let second = try await StoreFixture.open(disk)
        #expect(second.quarantined() == [id])
        await expectFailure(.corrupt) { _ = try await second.bytes(id) }
    }

    @Test("records within a payload are not taken for records, even when their own header is lost")
    func forgedRecords() async throws {
        let disk = SimulatedDisk()
        let store = try await StoreFixture.open(disk)
        try await store.put(id, StoreFixture.bytes(1_000, seed: 1))
        let stolen = try #require(disk.content(of: segment))
        try await store.delete([id])
        // A payload made of what the disk holds, at every alignment that a record may have.
        let records = Array(stolen[firstRecord...])
        try await store.put(StoreFixture.id(2), records + records + records)
        try await store.put(StoreFixture.id(3), [3])
        await store.close()
        // Everything is read again, the forger's own header is lost, and so is the tombstone of what it forges.
        try disk.remove("checkpoint")
        let forger = try #require(disk.content(of: segment)).firstRange(of: records + records)
        disk.flipBit(file: segment, offset: try #require(forger).lowerBound - Self.header)
        disk.flipBit(file: segment, offset: stolen.count)
        let second = try await StoreFixture.open(disk)
        #expect(second.all().map(\.id) == [StoreFixture.id(3)])
        #expect(second.quarantined().isEmpty)
    }

    @Test("a torn end is cut off, and what is written there later is read", arguments: [1, 63, 64, 65, 500, 1_080])
    func tornTail(lost: Int) async throws {
        let directory = try TemporaryDirectory()
        defer { directory.remove() }
        let disk = try PosixDisk(directory: directory.path)
        // Not closed: as if the process had been killed. A new process would get the lock, so does a new description.
        let store = try await StoreFixture.open(Unlocked(disk))
        try await store.put(StoreFixture.id(2), StoreFixture.bytes(1_000, seed: 2))
        try await store.put(id, StoreFixture.bytes(1_000, seed: 1))
        let file = try disk.open(segment)
        try file.truncate(to: try file.byteCount() - lost)
        let second = try await StoreFixture.open(disk)
        #expect(second.stat(id) == nil)
        #expect(try await second.bytes(StoreFixture.id(2)) == StoreFixture.bytes(1_000, seed: 2))
        try await second.put(StoreFixture.id(4), StoreFixture.bytes(300, seed: 4))
        await second.close()
        let third = try await StoreFixture.open(disk)
        #expect(try await third.bytes(StoreFixture.id(4)) == StoreFixture.bytes(300, seed: 4))
        #expect(third.statistics().fragmentCount == 2)
        await third.close()
    }

    @Test("random decay is never served", arguments: 1...40)
    func randomDecay(seed: Int) async throws {
        let random = SeededRandom(seed: UInt64(seed))
        let disk = SimulatedDisk()
        var store = try await StoreFixture.open(disk)
        for number in 0..<12 {
            try await store.put(StoreFixture.id(number), StoreFixture.bytes(number * 9_000, seed: number), descriptor: [1, 2])
        }
        if seed % 2 == 0 {
            await store.close()
            store = try await StoreFixture.open(disk)
        }
        for _ in 0..<6 { disk.flipRandomBit(suffix: "", random: random) }
        for round in 0..<2 {
            for number in 0..<12 {
                do {
                    #expect(try await store.bytes(StoreFixture.id(number)) == StoreFixture.bytes(number * 9_000, seed: number))
                } catch ChunkStoreError.corrupt, ChunkStoreError.notFound {
                    #expect(store.stat(StoreFixture.id(number)) == nil)
                }
            }
            _ = try await store.compact()
            guard round == 0 else { break }
            disk.crash(random: random)
            store = try await StoreFixture.open(disk)
        }
    }
}

/// A disk whose lock always answers: two stores of one process stand for a killed process and its successor.
private struct Unlocked: Disk {
    private struct Lock: DiskLock {
        func release() {}
    }

    let disk: PosixDisk
    init(_ disk: PosixDisk) { self.disk = disk }

    var path: String { disk.path }
    func list() throws -> [String] { try disk.list() }
    func open(_ name: String) throws -> any DiskFile { try disk.open(name) }
    func create(_ name: String) throws -> any DiskFile { try disk.create(name) }
    func remove(_ name: String) throws { try disk.remove(name) }
    func rename(_ name: String, to newName: String) throws { try disk.rename(name, to: newName) }
    func synchronizeDirectory() throws { try disk.synchronizeDirectory() }
    func lock(_ name: String) throws -> (any DiskLock)? { Lock() }
    func space() throws -> DiskSpace { try disk.space() }
}
