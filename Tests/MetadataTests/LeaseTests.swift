import Core
import Metadata
import Testing

@Suite struct LeaseTests {
    private let one = LeaseHolder(uuid: UUIDv7(high: 1, low: 1))
    private let two = LeaseHolder(uuid: UUIDv7(high: 2, low: 2))

    @Test("a lease that nobody has is taken, and renewed by whoever has it")
    func takeAndRenew() async throws {
        let store = try await openStore()
        #expect(try await store.acquireLease(named: "work", for: one, replacing: nil) == LeaseRecord(holder: one, epoch: 1, renewals: 0))
        #expect(try await store.acquireLease(named: "work", for: one, replacing: nil) == LeaseRecord(holder: one, epoch: 1, renewals: 1))
        // Leases of other names are others.
        #expect(try await store.acquireLease(named: "other", for: two, replacing: nil) == LeaseRecord(holder: two, epoch: 1, renewals: 0))
        #expect(try await store.acquireLease(named: "work", for: one, replacing: nil) == LeaseRecord(holder: one, epoch: 1, renewals: 2))
    }

    @Test("a lease that another one has is left alone and told")
    func isLeftAlone() async throws {
        let store = try await openStore()
        let record = try await store.acquireLease(named: "work", for: one, replacing: nil)
        #expect(try await store.acquireLease(named: "work", for: two, replacing: nil) == record)
        #expect(try await store.acquireLease(named: "work", for: two, replacing: nil) == record)
    }

    @Test("a lease is taken from another one only if nothing happened to it since it was seen")
    func takeOver() async throws {
        let store = try await openStore()
        let seen = try await store.acquireLease(named: "work", for: one, replacing: nil)
        let renewed = try await store.acquireLease(named: "work", for: one, replacing: nil)
        #expect(try await store.acquireLease(named: "work", for: two, replacing: seen) == renewed)
        for other in [
            LeaseRecord(holder: two, epoch: 1, renewals: 1), LeaseRecord(holder: one, epoch: 2, renewals: 1),
            LeaseRecord(holder: one, epoch: 1, renewals: 2), LeaseRecord(holder: nil, epoch: 1, renewals: 1),
        ] {
            #expect(try await store.acquireLease(named: "work", for: two, replacing: other) == renewed)
        }
        #expect(
            try await store.acquireLease(named: "work", for: two, replacing: renewed) == LeaseRecord(holder: two, epoch: 2, renewals: 0))
        // Whoever was late with its renewal finds out, and cannot take it back with what it knew.
        #expect(try await store.acquireLease(named: "work", for: one, replacing: renewed).holder == two)
    }

    @Test("a lease that was given up is free, and its epochs go on")
    func release() async throws {
        let store = try await openStore()
        _ = try await store.acquireLease(named: "work", for: one, replacing: nil)
        // Another one cannot give it up.
        try await store.releaseLease(named: "work", by: two)
        #expect(try await store.acquireLease(named: "work", for: two, replacing: nil).holder == one)
        try await store.releaseLease(named: "work", by: one)
        #expect(try await store.acquireLease(named: "work", for: two, replacing: nil) == LeaseRecord(holder: two, epoch: 2, renewals: 0))
        try await store.releaseLease(named: "work", by: one)
        #expect(try await store.acquireLease(named: "work", for: one, replacing: nil).holder == two)
        // One that never was.
        try await store.releaseLease(named: "unknown", by: one)
    }

    @Test("of many that want a lease at the same time one gets it, free or not")
    func race() async throws {
        let directory = try TemporaryDirectory()
        let store = try await openStore(directory.database, executor: ThreadPoolExecutor(threadCount: 4))
        var seen: LeaseRecord?
        for epoch in 1...10 {
            // Nobody who had it asks again: everyone else wants to replace the record that all have seen.
            let holders = (1...20).map { LeaseHolder(uuid: UUIDv7(high: UInt64(epoch), low: UInt64($0))) }
            let records = try await withThrowingTaskGroup { group in
                for holder in holders {
                    group.addTask { [seen] in (holder, try await store.acquireLease(named: "work", for: holder, replacing: seen)) }
                }
                return try await group.reduce(into: []) { $0.append($1) }
            }
            #expect(records.count { $0.0 == $0.1.holder } == 1, "epoch \(epoch)")
            #expect(Set(records.map(\.1)).count == 1, "all are told the same")
            seen = records.first?.1
            #expect(seen?.epoch == Int64(epoch))
        }
        await store.close()
    }

    @Test("leases outlive the process")
    func restart() async throws {
        let directory = try TemporaryDirectory()
        var store = try await openStore(directory.database)
        let record = try await store.acquireLease(named: "work", for: one, replacing: nil)
        await store.close()
        store = try await openStore(directory.database)
        #expect(try await store.acquireLease(named: "work", for: two, replacing: nil) == record)
        await store.close()
    }

    @Test("a database in a file is one process's own; one in memory is not locked by anybody")
    func exclusiveness() async throws {
        let directory = try TemporaryDirectory()
        let store = try await openStore(directory.database)
        #expect(store.isExclusive)
        await #expect(throws: MetadataError.locked(path: directory.database + ".lock")) { _ = try await openStore(directory.database) }
        await store.close()
        #expect(try await openStore().isExclusive == false)
    }
}
