import ChunkStore
import Core
import Testing

@Suite("Many at once")
struct ConcurrencyTests {
    /// What one task does with keys of its own while all others do likewise.
    private static func work(_ store: ChunkStore, worker: Int, rounds: Int) async throws -> [Int: Int] {
        let random = SeededRandom(seed: UInt64(worker))
        var versions: [Int: Int] = [:]
        for round in 0..<rounds {
            let key = worker * 100 + random.next(in: 0..<6)
            switch random.next(in: 0..<10) {
            case 0..<5:
                let version = round * 1_000 + worker
                try await store.put(StoreFixture.id(key), StoreFixture.bytes(size(version), seed: version), descriptor: [1])
                versions[key] = version
            case 5..<7:
                try await store.delete([StoreFixture.id(key)])
                versions[key] = nil
            default:
                try await check(store, key, versions[key])
            }
        }
        return versions
    }

    private static func size(_ version: Int) -> Int { [10, 4_000, 70_000, 400_000][version / 7 % 4] }

    private static func check(_ store: ChunkStore, _ key: Int, _ version: Int?) async throws {
        if let version {
            #expect(try await store.bytes(StoreFixture.id(key)) == StoreFixture.bytes(size(version), seed: version))
        } else {
            await #expect(throws: ChunkStoreError.notFound(StoreFixture.id(key))) { _ = try await store.bytes(StoreFixture.id(key)) }
        }
    }

    @Test(
        "puts, gets and deletions go on beside checkpoints and compaction, on a real disk, and all is there afterwards",
        arguments: Durability.allCases)
    func stress(durability: Durability) async throws {
        let directory = try TemporaryDirectory()
        defer { directory.remove() }
        let disk = try PosixDisk(directory: directory.path)
        let executor = ThreadPoolExecutor(threadCount: 4)
        let configuration = StoreFixture.configuration(segmentSize: 1 << 20, checkpointInterval: 4 << 20, durability: durability)
        let store = try await StoreFixture.open(disk, configuration: configuration, executor: executor, random: SystemRandom())
        let versions = try await withThrowingTaskGroup(of: [Int: Int].self) { group in
            for worker in 0..<12 { group.addTask { try await Self.work(store, worker: worker, rounds: 60) } }
            let maintenance = Task {
                while !Task.isCancelled {
                    _ = try await store.compact()
                    try await store.checkpoint()
                }
            }
            var all: [Int: Int] = [:]
            for try await versions in group { all.merge(versions) { $1 } }
            maintenance.cancel()
            _ = await maintenance.result
            return all
        }
        #expect(store.quarantined().isEmpty)
        #expect(store.statistics().fragmentCount == versions.count)
        await store.close()
        for isWithCheckpoint in [true, false] {
            if !isWithCheckpoint { try disk.remove("checkpoint") }
            let second = try await StoreFixture.open(disk, configuration: configuration, executor: executor, random: SystemRandom())
            #expect(second.statistics().fragmentCount == versions.count)
            for worker in 0..<12 {
                for key in worker * 100..<worker * 100 + 6 { try await Self.check(second, key, versions[key]) }
            }
            await second.close()
        }
    }

    @Test("a fragment deleted or replaced while compaction copies it does not come back", arguments: [false, true])
    func changedWhileCopied(replacing: Bool) async throws {
        let directory = try TemporaryDirectory()
        defer { directory.remove() }
        let real = try PosixDisk(directory: directory.path)
        let disk = ObservedDisk(real)
        let executor = ThreadPoolExecutor(threadCount: 4)
        let configuration = StoreFixture.configuration(segmentSize: 64 << 10)
        let store = try await StoreFixture.open(disk, configuration: configuration, executor: executor, random: SystemRandom())
        for number in 0..<80 { try await store.put(StoreFixture.id(number), StoreFixture.bytes(1_000, seed: number)) }
        try await store.delete((1..<50).map { StoreFixture.id($0) })
        try await store.checkpoint()
        let id = StoreFixture.id(0)
        let before = disk.synchronizations
        let change = disk.duringNextSynchronization {
            if replacing { try await store.put(id, [9]) } else { try await store.delete([id]) }
        }
        // Nothing is left to settle: the first segment that the pass syncs is the one with the copies.
        let compaction = Task { try await store.compact() }
        try await change.value
        #expect(try await compaction.value.segmentCount == 1)
        #expect(disk.synchronizations > before)
        let expected: [UInt8]? = replacing ? [9] : nil
        #expect(store.stat(id)?.byteCount == expected?.count)
        await store.close()
        try real.remove("checkpoint")
        let second = try await StoreFixture.open(real, configuration: configuration, executor: executor, random: SystemRandom())
        #expect(second.stat(id)?.byteCount == expected?.count)
        #expect(second.statistics().fragmentCount == 30 + (replacing ? 1 : 0))
        await second.close()
    }

    @Test("a put that a deletion overtakes leaves the same in memory as on the disk")
    func overtakenPut() async throws {
        let directory = try TemporaryDirectory()
        defer { directory.remove() }
        let real = try PosixDisk(directory: directory.path)
        let disk = ObservedDisk(real)
        let executor = ThreadPoolExecutor(threadCount: 4)
        let store = try await StoreFixture.open(disk, executor: executor, random: SystemRandom())
        let id = StoreFixture.id(1)
        let bytes = StoreFixture.bytes(200_000, seed: 1)
        try await store.put(id, bytes)
        // Gives the deletion a segment of its own, so that it need not wait for the put's.
        try await store.put(StoreFixture.id(2), [2])
        let deletion = disk.duringNextSynchronization { try await store.delete([id]) }
        try await store.put(id, bytes)
        try await deletion.value
        #expect(store.stat(id) == nil)
        await store.close()
        try real.remove("checkpoint")
        let second = try await StoreFixture.open(real, executor: executor, random: SystemRandom())
        #expect(second.all().map(\.id) == [StoreFixture.id(2)])
        await second.close()
    }

    @Test("puts and deletions of one name at once agree with what a restart finds")
    func oneName() async throws {
        let directory = try TemporaryDirectory()
        defer { directory.remove() }
        let disk = try PosixDisk(directory: directory.path)
        let executor = ThreadPoolExecutor(threadCount: 4)
        let store = try await StoreFixture.open(disk, executor: executor, random: SystemRandom())
        let names = (0..<40).map { StoreFixture.id($0) }
        try await withThrowingTaskGroup(of: Void.self) { group in
            for id in names {
                for number in 0..<4 {
                    group.addTask {
                        // The same content by contract, by both ways in.
                        if number < 3 { try await store.put(id, StoreFixture.bytes(number == 0 ? 200_000 : 500, seed: 1)) }
                        if number > 1 { try await store.delete([id]) }
                    }
                }
            }
            try await group.waitForAll()
        }
        let found = Set(store.all())
        await store.close()
        // Without the checkpoint the records alone decide.
        try disk.remove("checkpoint")
        let second = try await StoreFixture.open(disk, executor: executor, random: SystemRandom())
        #expect(Set(second.all()) == found)
        for info in found { #expect(try await second.bytes(info.id) == StoreFixture.bytes(info.byteCount, seed: 1)) }
        await second.close()
    }
}
