import ChunkStore
import Core
import Synchronization
import Testing

@Suite("Reading what the system has in memory")
struct CachedReadTests {
    private final class CountingExecutor: BlockingExecutor {
        private let count = Atomic<Int>(0)
        var runs: Int { count.load(ordering: .relaxed) }
        func run<Value: Sendable>(_ body: @escaping @Sendable () throws -> Value) async throws -> Value {
            count.add(1, ordering: .relaxed)
            return try body()
        }
    }

    private static let size = 5 * Piece.maximumSize + 12_345

    @Test("needs no other thread, and no read that could wait, if it is short")
    func cached() async throws {
        let disk = ObservedDisk(SimulatedDisk())
        let executor = CountingExecutor()
        let store = try await StoreFixture.open(disk, configuration: StoreFixture.configuration(segmentSize: 64 << 20), executor: executor)
        for (number, size) in [1, Piece.blockSize, 2 * Piece.blockSize].enumerated() {
            let bytes = StoreFixture.bytes(size, seed: number)
            try await store.put(StoreFixture.id(number), bytes)
            disk.cachedByteCount = 0
            let (reads, runs) = (disk.readCount, executor.runs)
            #expect(try await store.bytes(StoreFixture.id(number)) == bytes)
            #expect(disk.readCount > reads && executor.runs > runs)
            disk.cachedByteCount = .max
            let (after, runsAfter) = (disk.readCount, executor.runs)
            #expect(try await store.bytes(StoreFixture.id(number)) == bytes)
            #expect(disk.readCount == after && executor.runs == runsAfter)
        }
        try await store.close()
    }

    @Test("a long one is made by the executor, for the caller's thread has others to serve")
    func long() async throws {
        let disk = ObservedDisk(SimulatedDisk())
        let executor = CountingExecutor()
        let store = try await StoreFixture.open(disk, configuration: StoreFixture.configuration(segmentSize: 64 << 20), executor: executor)
        disk.cachedByteCount = .max
        let bytes = StoreFixture.bytes(Self.size, seed: 1)
        try await store.put(StoreFixture.id(1), bytes)
        let runs = executor.runs
        #expect(try await store.bytes(StoreFixture.id(1)) == bytes)
        #expect(executor.runs == runs + 6)
        try await store.close()
    }

    @Test("a long one needs no other thread either where that is asked for, up to what the system does not have")
    func inline() async throws {
        let disk = ObservedDisk(SimulatedDisk())
        let executor = CountingExecutor()
        var configuration = StoreFixture.configuration(segmentSize: 64 << 20)
        configuration.inlineReadLimit = Piece.maximumSize
        let store = try await StoreFixture.open(disk, configuration: configuration, executor: executor)
        let bytes = StoreFixture.bytes(Self.size, seed: 1)
        try await store.put(StoreFixture.id(1), bytes)
        disk.cachedByteCount = .max
        let runs = executor.runs
        #expect(try await store.bytes(StoreFixture.id(1)) == bytes)
        #expect(executor.runs == runs)
        // The first of a fragment comes with its checksums, which lie behind it: none of it is in memory then.
        disk.cachedByteCount = 3 << 20
        #expect(try await store.bytes(StoreFixture.id(1)) == bytes)
        #expect(executor.runs == runs + 6)
        try await store.close()
    }

    @Test("any range reads as it was written, wherever memory ends", arguments: 1...5 as ClosedRange<UInt64>)
    func partly(seed: UInt64) async throws {
        let random = SeededRandom(seed: seed)
        let disk = ObservedDisk(SimulatedDisk())
        let store = try await StoreFixture.open(disk, configuration: StoreFixture.configuration(segmentSize: 64 << 20))
        let bytes = StoreFixture.bytes(Self.size, seed: Int(seed))
        try await store.put(StoreFixture.id(1), bytes)
        for _ in 0..<20 {
            disk.cachedByteCount = random.next(in: 0..<Self.size + 100_000)
            let lower = random.next(in: 0..<Self.size)
            let longest = random.next(in: 0..<2) == 0 ? Self.size : Piece.blockSize
            let upper = random.next(in: lower + 1..<min(lower + longest, Self.size) + 1)
            let start = lower / Piece.blockSize * Piece.blockSize
            let end = min((upper + Piece.blockSize - 1) / Piece.blockSize * Piece.blockSize, Self.size)
            let read = try await store.bytes(StoreFixture.id(1), lower..<upper)
            #expect(read == Array(bytes[start..<end]), "seed \(seed), \(lower)..<\(upper), \(disk.cachedByteCount) in memory")
        }
        try await store.close()
    }
}
