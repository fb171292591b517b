import ChunkStore
import Core
import Foundation
import Testing

/// Random operations, faults and crashes against a model of what may be read.
///
/// `CHUNKSTORE_SEED=n` runs one seed alone, `CHUNKSTORE_SEEDS=n` that many.
@Suite("Crashes, against a model")
struct CrashModelTests {
    static var seeds: [UInt64] {
        let environment = ProcessInfo.processInfo.environment
        if let seed = environment["CHUNKSTORE_SEED"].flatMap(UInt64.init) { return [seed] }
        return Array(1...(environment["CHUNKSTORE_SEEDS"].flatMap(UInt64.init) ?? 240))
    }

    @Test("whatever happens, what was acknowledged is read back, and nothing else than what was put")
    func randomHistories() async throws {
        for seed in Self.seeds {
            var model = StoreModel(seed: seed)
            do {
                try await model.run(steps: 60)
            } catch {
                Issue.record("CHUNKSTORE_SEED=\(seed): \(error)\n\(model.history.joined(separator: "\n"))")
                return
            }
        }
    }
}

struct StoreModel {
    struct Violation: Error, CustomStringConvertible {
        let description: String
    }

    /// What one key may hold: the bytes of a version, or nothing.
    private struct Key {
        /// What the open store must answer.
        var current: [UInt8]?
        /// What a start may also find, because an operation on it ended with an error.
        var alternatives: [[UInt8]?] = []
    }

    private static let keyCount = 10

    private let random: SeededRandom
    private let disk: SimulatedDisk
    private let configuration: ChunkStore.Configuration
    private var keys = [Key](repeating: Key(), count: keyCount)
    private var version = 0
    private var store: ChunkStore?
    private(set) var history: [String] = []

    init(seed: UInt64) {
        random = SeededRandom(seed: seed)
        disk = SimulatedDisk(capacityBytes: 64 << 20)
        configuration = ChunkStore.Configuration(
            segmentSize: 64 << 10, reserveBytes: 0, smallFragmentLimit: 8 << 10, maximumLanes: 2, checkpointInterval: 1 << 40)
    }

    mutating func run(steps: Int) async throws {
        try await reopen()
        for _ in 0..<steps {
            try await step()
            if random.next(in: 0..<8) == 0 { try await checkAll() }
        }
        try await checkAll()
        disk.crash(random: random)
        try await reopen()
        await store?.close()
        try await reopen()
    }

    private mutating func step() async throws {
        switch random.next(in: 0..<100) {
        case 0..<38: try await put()
        case 38..<50: try await delete()
        case 50..<57: try await maintain("checkpoint") { try await $0.checkpoint() }
        case 57..<67: try await maintain("compact") { _ = try await $0.compact() }
        case 67..<70:
            note("close")
            await store?.close()
            try await reopen()
        case 70..<74:
            note("killed")
            disk.killProcess()
            try await reopen()
        case 74..<77:
            note("crash")
            disk.crash(random: random)
            try await reopen()
        case 77..<94:
            let count = random.next(in: 0..<8)
            note("power fails after \(count) more")
            disk.losePower(afterOperations: count)
            try await put()
        default:
            let operation = SimulatedDisk.Operation.allCases[random.next(in: 0..<SimulatedDisk.Operation.allCases.count)]
            guard operation != .read, operation != .open else { return }
            note("\(operation) fails")
            disk.fail([operation])
            for _ in 0..<random.next(in: 1..<3) { try await (random.next() & 1 == 0 ? put() : delete()) }
            disk.heal()
        }
        if disk.isPowerLost {
            interrupt()
            try await reopen()
        }
    }

    /// What stopped the disk was the end of the process, or of the power.
    private mutating func interrupt() {
        if random.next(in: 0..<3) == 0 {
            note("killed in the middle")
            disk.killProcess()
        } else {
            note("power lost in the middle")
            disk.crash(random: random)
        }
    }

    private mutating func note(_ text: String) { history.append(text) }

    private mutating func put() async throws {
        guard let store else { return }
        let number = random.next(in: 0..<Self.keyCount)
        version += 1
        let size = [0, 100, 4096, 8 << 10, 20_000, 70_000, 150_000][random.next(in: 0..<7)]
        let bytes = StoreFixture.bytes(size, seed: version)
        do {
            try await store.put(StoreFixture.id(number), bytes, descriptor: Array("v\(version)".utf8), pieceSize: 64 << 10)
            keys[number] = Key(current: bytes)
            note("put \(number) version \(version), \(size) bytes")
        } catch {
            keys[number].alternatives.append(bytes)
            note("put \(number) version \(version), \(size) bytes: \(error)")
        }
    }

    private mutating func delete() async throws {
        guard let store else { return }
        let numbers = Set((0..<random.next(in: 1..<4)).map { _ in random.next(in: 0..<Self.keyCount) }).sorted()
        do {
            try await store.delete(numbers.map { StoreFixture.id($0) })
            for number in numbers { keys[number] = Key() }
            note("delete \(numbers)")
        } catch {
            for number in numbers { keys[number].alternatives.append(nil) }
            note("delete \(numbers): \(error)")
        }
    }

    private mutating func maintain(_ name: String, _ body: (ChunkStore) async throws -> Void) async throws {
        guard let store else { return }
        do {
            try await body(store)
            note(name)
        } catch {
            note("\(name): \(error)")
        }
    }

    private mutating func reopen() async throws {
        for attempt in 0... {
            if attempt < 2, random.next(in: 0..<6) == 0 { disk.losePower(afterOperations: random.next(in: 0..<8)) }
            do {
                store = try await StoreFixture.open(disk, configuration: configuration, random: SeededRandom(seed: random.next()))
                // The checkpoint that ends a full scan may fail without the opening failing.
                if !disk.isPowerLost { break }
                interrupt()
            } catch let error as ChunkStoreError {
                guard disk.isPowerLost else { throw error }
                interrupt()
            }
        }
        note("opened")
        for number in keys.indices {
            let found = try await read(number)
            guard keys[number].current == found || keys[number].alternatives.contains(found) else {
                throw Violation(description: "key \(number) after opening: \(describe(found)), not \(describe(keys[number].current))")
            }
            keys[number] = Key(current: found)
        }
        guard store?.quarantined().isEmpty ?? true else { throw Violation(description: "quarantined without any decay") }
        try await checkAll()
    }

    private func describe(_ bytes: [UInt8]?) -> String { bytes.map { "\($0.count) bytes" } ?? "nothing" }

    private func read(_ number: Int) async throws -> [UInt8]? {
        do {
            return try await store?.bytes(StoreFixture.id(number))
        } catch ChunkStoreError.notFound {
            return nil
        }
    }

    private func checkAll() async throws {
        guard let store, !disk.isPowerLost else { return }
        for number in keys.indices {
            let found = try await read(number)
            guard found == keys[number].current else {
                throw Violation(description: "key \(number): \(describe(found)), not \(describe(keys[number].current))")
            }
            guard store.stat(StoreFixture.id(number))?.byteCount == found?.count else {
                throw Violation(description: "key \(number): stat differs from get")
            }
        }
        let stored = keys.compactMap(\.current)
        guard store.all(limit: 3).count == stored.count, store.statistics().liveBytes == stored.reduce(0, { $0 + $1.count }) else {
            throw Violation(description: "list or statistics differ from what is stored")
        }
    }
}
