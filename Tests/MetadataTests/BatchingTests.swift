import Core
import Metadata
import Synchronization
import Testing

/// Holds all work until it is opened.
private final class Gate: BlockingExecutor {
    private struct State {
        var isOpen = true
        var waiting: [CheckedContinuation<Void, Never>] = []
    }
    private let state = Mutex(State())

    func close() { state.withLock { $0.isOpen = false } }

    func open() {
        let waiting = state.withLock { state in
            state.isOpen = true
            defer { state.waiting = [] }
            return state.waiting
        }
        for continuation in waiting { continuation.resume() }
    }

    var waitingCount: Int { state.withLock { $0.waiting.count } }

    func run<Value: Sendable>(_ work: @escaping @Sendable () throws -> Value) async throws -> Value {
        await withCheckedContinuation { continuation in
            let isOpen = state.withLock { state in
                if !state.isOpen { state.waiting.append(continuation) }
                return state.isOpen
            }
            if isOpen { continuation.resume() }
        }
        return try work()
    }
}

private final class Flag: Sendable {
    private let state = Mutex(false)
    var isRaised: Bool { state.withLock { $0 } }
    func raise() { state.withLock { $0 = true } }
}

@Suite struct BatchingTests {
    @Test("concurrent commits share transactions")
    func batches() async throws {
        let directory = try TemporaryDirectory()
        let store = try await openStore(directory.database, executor: ThreadPoolExecutor(threadCount: 2))
        let fixture = try await store.fixture()
        let before = store.committed
        try await withThrowingTaskGroup(of: Void.self) { group in
            for writer in 0..<32 {
                group.addTask {
                    for number in 0..<20 {
                        let version = writer * 20 + number
                        try await store.commit(fixture.object("k\(version)", version: version, blobs: [version]), repairs: [])
                    }
                }
            }
            try await group.waitForAll()
        }
        let after = store.committed
        #expect(after.requests - before.requests == 640)
        #expect(after.transactions - before.transactions < 320)
        #expect(try await store.totals() == MetadataTotals(objectCount: 640, byteCount: 64_000))
        await store.close()
    }

    @Test("a request that fails harms none of its batch, and leaves nothing behind")
    func failingNeighbour() async throws {
        let gate = Gate()
        let store = try await openStore(executor: gate)
        let fixture = try await store.fixture()
        try await store.addGarbage([Fixture.blob(1000)], at: time(1))
        let before = store.committed
        gate.close()
        let outcomes = await withTaskGroup(of: (Int, Bool).self) { group in
            for number in 0..<20 {
                group.addTask {
                    do {
                        // Every fourth has a blob that it must not have, found after another was written.
                        let blobs = number % 4 == 0 ? [number, 1000] : [number]
                        try await store.commit(
                            fixture.object("k\(number)", version: number, blobs: blobs), repairs: [Fixture.repair(number)])
                        return (number, true)
                    } catch {
                        return (number, false)
                    }
                }
            }
            while gate.waitingCount == 0 { await Task.yield() }
            gate.open()
            return await group.reduce(into: [Int: Bool]()) { $0[$1.0] = $1.1 }
        }
        #expect(outcomes.count == 20)
        for (number, succeeded) in outcomes {
            #expect(succeeded == (number % 4 != 0))
            #expect(try await (store.object(in: fixture.bucket.id, key: "k\(number)") != nil) == succeeded)
            #expect(try await store.knownBlobs(among: [Fixture.blobID(number)]).isEmpty == !succeeded)
        }
        #expect(store.committed.transactions - before.transactions < 20)
        #expect(try await store.totals() == MetadataTotals(objectCount: 15, byteCount: 1500))
        #expect(try await store.repairCount() == 15)
    }

    @Test("what a failed request had counted before it failed does not count")
    func failedCounts() async throws {
        let store = try await openStore()
        try await store.execute(
            sql: "CREATE TRIGGER refuse BEFORE INSERT ON repairs WHEN NEW.chunk = 7 BEGIN SELECT RAISE(ABORT, 'no'); END")
        await #expect(throws: MetadataError.self) {
            try await store.enqueueRepairs([Fixture.repair(1), Fixture.repair(1, chunk: 7)])
        }
        #expect(try await store.repairCount() == 0)
        try await store.enqueueRepairs([Fixture.repair(1)])
        #expect(try await store.repairCount() == 1)
    }

    @Test("when the commit itself fails, all of the batch fail and nothing of it is there")
    func failingCommit() async throws {
        let store = try await openStore()
        let fixture = try await store.fixture()
        // A constraint that is checked at the commit, and that the counters' update breaks.
        try await store.execute(
            sql: "CREATE TRIGGER refuse BEFORE UPDATE ON counters BEGIN SELECT RAISE(ROLLBACK, 'no'); END")
        await withTaskGroup(of: Void.self) { group in
            for number in 0..<5 {
                group.addTask {
                    await #expect(throws: MetadataError.self) {
                        try await store.commit(fixture.object("k\(number)", version: number, blobs: [number]), repairs: [])
                    }
                }
            }
        }
        #expect(try await store.objects(in: fixture.bucket.id, after: nil, limit: 10) == [])
        try await store.execute(sql: "DROP TRIGGER refuse")
        try await store.commit(fixture.object("k", version: 1, blobs: [1]), repairs: [])
        #expect(try await store.objects(in: fixture.bucket.id, after: nil, limit: 10).map(\.key) == ["k"])
        #expect(try await store.totals() == MetadataTotals(objectCount: 1, byteCount: 100))
    }

    @Test("a full database refuses writes as such, serves reads, and takes writes again when there is room")
    func full() async throws {
        let directory = try TemporaryDirectory()
        let store = try await openStore(directory.database, executor: ThreadPoolExecutor(threadCount: 2))
        let fixture = try await store.fixture()
        try await store.commit(fixture.object("k", version: 1, blobs: [1]), repairs: [])
        try await store.setMaximumPageCount(10)
        var refused = 0
        for number in 2..<200 {
            do {
                try await store.commit(fixture.object("k\(number)", version: number, blobs: [number]), repairs: [])
            } catch {
                #expect(error as? MetadataError == .diskFull)
                refused += 1
            }
        }
        #expect(refused > 0)
        #expect(try await store.object(in: fixture.bucket.id, key: "k") != nil)
        let there = try await store.objects(in: fixture.bucket.id, after: nil, limit: 1000)
        #expect(there.count == 199 - refused)
        #expect(try await store.totals().objectCount == Int64(there.count))
        try await store.setMaximumPageCount(100_000)
        try await store.commit(fixture.object("again", version: 300, blobs: [300]), repairs: [])
        await store.close()
    }

    @Test("whoever reads a key while it is overwritten sees one version whole")
    func readsDuringOverwrites() async throws {
        let directory = try TemporaryDirectory()
        var options = SQLiteMetadataStore.Options()
        options.durability = .none
        let store = try await openStore(directory.database, executor: ThreadPoolExecutor(threadCount: 4), options: options)
        let fixture = try await store.fixture()
        try await store.commit(fixture.object("key", version: 0, blobs: [0, 1]), repairs: [])
        let isOver = Flag()
        try await withThrowingTaskGroup(of: Void.self) { group in
            for _ in 0..<3 {
                group.addTask {
                    while !isOver.isRaised {
                        let object = try await store.object(in: fixture.bucket.id, key: "key")
                        let version = object.map { Int($0.version.uuid.high) } ?? -1
                        #expect(object == fixture.object("key", version: version, blobs: [2 * version, 2 * version + 1]))
                        let page = try await store.objects(in: fixture.bucket.id, after: nil, limit: 2)
                        #expect(page.count == 1)
                    }
                }
            }
            for version in 1...1500 {
                try await store.commit(fixture.object("key", version: version, blobs: [2 * version, 2 * version + 1]), repairs: [])
            }
            isOver.raise()
            try await group.waitForAll()
        }
        await store.close()
    }

    @Test("of concurrent writers of one key one wins whole, and every other's blobs are garbage")
    func concurrentWriters() async throws {
        let directory = try TemporaryDirectory()
        let store = try await openStore(directory.database, executor: ThreadPoolExecutor(threadCount: 3))
        let fixture = try await store.fixture()
        let writers = 40
        try await withThrowingTaskGroup(of: Void.self) { group in
            for number in 0..<writers {
                group.addTask {
                    let blobs = (0..<(1 + number % 3)).map { number * 10 + $0 }
                    try await store.commit(fixture.object("key", version: number, blobs: blobs), repairs: [])
                    let seen = try await store.object(in: fixture.bucket.id, key: "key")
                    #expect(seen.map { isWhole($0) } == true)
                }
            }
            try await group.waitForAll()
        }
        let winner = try #require(try await store.object(in: fixture.bucket.id, key: "key"))
        #expect(isWhole(winner))
        let all = Set((0..<writers).flatMap { number in (0..<(1 + number % 3)).map { Fixture.blobID(number * 10 + $0) } })
        #expect(Set(try await store.garbageIDs()) == all.subtracting(winner.blobs.map(\.id)))
        #expect(try await store.totals() == MetadataTotals(objectCount: 1, byteCount: winner.byteCount))
        await store.close()

        @Sendable func isWhole(_ object: ObjectRecord) -> Bool {
            let number = Int(object.version.uuid.high)
            return object == fixture.object("key", version: number, blobs: (0..<(1 + number % 3)).map { number * 10 + $0 })
        }
    }
}
