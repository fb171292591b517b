import ChunkStore
import Core
import Testing

@Suite("Disk faults")
struct DiskFaultTests {
    private static let fillSizes = [4_000, 200_000]

    @Test("a full disk refuses puts only, and takes them again after deletions", arguments: fillSizes)
    func diskFull(size: Int) async throws {
        let disk = SimulatedDisk(capacityBytes: 8 << 20)
        let store = try await StoreFixture.open(disk)
        var stored = 0
        while true {
            do {
                try await store.put(StoreFixture.id(stored), StoreFixture.bytes(size, seed: stored))
                stored += 1
            } catch ChunkStoreError.diskFull {
                break
            }
        }
        #expect(stored > 10)
        #expect(store.stat(StoreFixture.id(stored)) == nil)
        #expect(store.statistics().availableBytes < size + 4096)
        for number in 0..<stored {
            #expect(try await store.bytes(StoreFixture.id(number)) == StoreFixture.bytes(size, seed: number))
        }
        try await store.delete((0..<stored / 2).map { StoreFixture.id($0) })
        // Only whole blocks of small fragments can be given back at once; compaction gives back the rest.
        _ = try await store.compact()
        for number in 1000..<1000 + stored / 4 { try await store.put(StoreFixture.id(number), StoreFixture.bytes(size, seed: number)) }
        disk.crash(random: SeededRandom(seed: 1))
        let second = try await StoreFixture.open(disk)
        for number in stored / 2..<stored {
            #expect(try await second.bytes(StoreFixture.id(number)) == StoreFixture.bytes(size, seed: number))
        }
    }

    @Test("when the disk fills up under a write, nothing is left of it", arguments: fillSizes)
    func fullInTheMiddle(size: Int) async throws {
        let disk = SimulatedDisk(capacityBytes: 8 << 20)
        let configuration = ChunkStore.Configuration(segmentSize: 4 << 20, reserveBytes: 0, smallFragmentLimit: 64 << 10, maximumLanes: 4)
        let store = try await StoreFixture.open(disk, configuration: configuration)
        try await store.put(StoreFixture.id(1), StoreFixture.bytes(size, seed: 1))
        // Somebody else takes the room between the look at the free space and the write.
        let full = ObservedDisk(disk)
        await store.close()
        let second = try await StoreFixture.open(full, configuration: configuration)
        full.isFull = true
        await expectFailure(.diskFull) { try await second.put(StoreFixture.id(2), StoreFixture.bytes(size, seed: 2)) }
        #expect(second.stat(StoreFixture.id(2)) == nil)
        full.isFull = false
        try await second.put(StoreFixture.id(3), StoreFixture.bytes(size, seed: 3))
        #expect(try await second.bytes(StoreFixture.id(3)) == StoreFixture.bytes(size, seed: 3))
        #expect(second.statistics().segmentCount == 1)
        disk.crash(random: SeededRandom(seed: 1))
        let third = try await StoreFixture.open(disk)
        #expect(Set(third.all().map(\.id)) == [StoreFixture.id(1), StoreFixture.id(3)])
    }

    @Test(
        "a failed write or sync refuses the put and is never written over", arguments: [SimulatedDisk.Operation.write, .synchronizeData],
        fillSizes)
    func inputOutputError(operation: SimulatedDisk.Operation, size: Int) async throws {
        let disk = SimulatedDisk()
        let store = try await StoreFixture.open(disk)
        try await store.put(StoreFixture.id(1), StoreFixture.bytes(size, seed: 1))
        disk.fail([operation])
        await expectFailure(.diskFailure) { try await store.put(StoreFixture.id(2), StoreFixture.bytes(size, seed: 2)) }
        disk.heal()
        #expect(store.stat(StoreFixture.id(2)) == nil)
        let sealed = try #require(disk.content(of: "00000001.segment"))
        try await store.put(StoreFixture.id(3), StoreFixture.bytes(size, seed: 3))
        #expect(disk.content(of: "00000001.segment") == sealed)
        #expect(store.statistics().segmentCount == 2)
        disk.crash(random: SeededRandom(seed: 1))
        let second = try await StoreFixture.open(disk)
        #expect(try await second.bytes(StoreFixture.id(1)) == StoreFixture.bytes(size, seed: 1))
        #expect(try await second.bytes(StoreFixture.id(3)) == StoreFixture.bytes(size, seed: 3))
    }

    @Test("a refused put that reached the disk does not come back after a deletion")
    func refusedThenDeleted() async throws {
        let disk = SimulatedDisk()
        let store = try await StoreFixture.open(disk)
        try await store.put(StoreFixture.id(2), [4])
        // The record is whole on the disk, only its sync and the attempt to take it back fail.
        disk.fail([.synchronizeData, .truncate])
        _ = try? await store.put(StoreFixture.id(1), [1, 2, 3])
        disk.heal()
        #expect(store.stat(StoreFixture.id(1)) == nil)
        try await store.delete([StoreFixture.id(1)])
        _ = try await store.compact()
        await store.close()
        try disk.remove("checkpoint")
        let second = try await StoreFixture.open(disk)
        #expect(second.all().map(\.id) == [StoreFixture.id(2)])
    }

    @Test("what was deleted stays so when its record could not be marked: its tombstone outlives every compaction")
    func markingFails() async throws {
        let disk = SimulatedDisk()
        let observed = ObservedDisk(disk)
        let configuration = StoreFixture.configuration(segmentSize: 64 << 10)
        var store = try await StoreFixture.open(observed, configuration: configuration)
        // The first segment stays mostly alive; tombstones will be all that counts in the second one.
        var count = 0
        while store.statistics().segmentCount < 2 {
            try await store.put(StoreFixture.id(count), StoreFixture.bytes(1_000, seed: count))
            count += 1
        }
        try await store.delete([StoreFixture.id(count - 1)])
        observed.refusesOverwriting = true
        try await store.delete([StoreFixture.id(3)])
        observed.refusesOverwriting = false
        // Twice, so that what the first store knows has to survive in the checkpoint.
        for _ in 0..<2 {
            await store.close()
            store = try await StoreFixture.open(observed, configuration: configuration)
            _ = try await store.compact()
        }
        await store.close()
        try disk.remove("checkpoint")
        store = try await StoreFixture.open(disk, configuration: configuration)
        #expect(store.stat(StoreFixture.id(3)) == nil)
        #expect(store.statistics().fragmentCount == count - 2)
    }

    @Test("what cannot be read is quarantined, for others to restore")
    func unreadable() async throws {
        let disk = SimulatedDisk()
        let store = try await StoreFixture.open(disk)
        try await store.put(StoreFixture.id(1), [1, 2, 3])
        disk.fail([.read])
        await expectFailure(.corrupt) { _ = try await store.bytes(StoreFixture.id(1)) }
        #expect(store.quarantined() == [StoreFixture.id(1)])
    }

    @Test(
        "a disk is failing from a write or flush that failed to one that succeeds, and its errors are counted",
        arguments: [
            SimulatedDisk.Operation.write, .synchronizeData,
        ])
    func condition(operation: SimulatedDisk.Operation) async throws {
        let disk = SimulatedDisk(path: "/srv/a")
        let store = try await StoreFixture.open(disk)
        try await store.put(StoreFixture.id(1), [1])
        #expect(store.diskCondition().path == "/srv/a")
        #expect(!store.diskCondition().isFailing && store.diskCondition().writeErrorCount == 0)
        disk.fail([operation])
        for number in 2...3 { _ = try? await store.put(StoreFixture.id(number), [1]) }
        #expect(store.diskCondition().isFailing)
        #expect(store.diskCondition().writeErrorCount >= 2)
        disk.heal()
        try await store.put(StoreFixture.id(4), [1])
        #expect(!store.diskCondition().isFailing)
        #expect(store.diskCondition().writeErrorCount >= 2)
    }

    @Test("a disk is failing for good when ten reads have failed, and want of space is no fault")
    func readErrors() async throws {
        let disk = SimulatedDisk()
        let store = try await StoreFixture.open(disk)
        for number in 0..<10 { try await store.put(StoreFixture.id(number), [1]) }
        disk.fail([.read])
        // Each is tried twice.
        for number in 0..<4 { _ = try? await store.bytes(StoreFixture.id(number)) }
        #expect(store.diskCondition().readErrorCount == 8 && !store.diskCondition().isFailing)
        _ = try? await store.bytes(StoreFixture.id(4))
        #expect(store.diskCondition().readErrorCount == 10 && store.diskCondition().isFailing)
        disk.heal()
        try await store.put(StoreFixture.id(11), [1])
        #expect(store.diskCondition().isFailing)

        let observed = ObservedDisk(SimulatedDisk())
        let full = try await StoreFixture.open(observed)
        observed.isFull = true
        await expectFailure(.diskFull) { try await full.put(StoreFixture.id(1), [1]) }
        #expect(full.diskCondition().writeErrorCount == 0 && !full.diskCondition().isFailing)
    }

    @Test("a directory has one store at a time")
    func lock() async throws {
        let directory = try TemporaryDirectory()
        defer { directory.remove() }
        let disks: [any Disk] = [try PosixDisk(directory: directory.path), SimulatedDisk()]
        for disk in disks {
            let store = try await StoreFixture.open(disk)
            await #expect(throws: ChunkStoreError.locked(path: disk.path)) { _ = try await StoreFixture.open(disk) }
            try await store.put(StoreFixture.id(1), [1])
            await store.close()
            let second = try await StoreFixture.open(disk)
            #expect(second.stat(StoreFixture.id(1)) != nil)
            await second.close()
        }
    }

    @Test("a file that is not the store's is left alone")
    func foreignFiles() async throws {
        let disk = SimulatedDisk()
        _ = try disk.create("node.json")
        _ = try disk.create("1.segment")
        let store = try await StoreFixture.open(disk)
        try await store.put(StoreFixture.id(1), [1])
        await store.close()
        #expect(try Set(disk.list()).isSuperset(of: ["node.json", "1.segment", "00000001.segment", "checkpoint"]))
    }
}
