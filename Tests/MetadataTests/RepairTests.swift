import Core
import Metadata
import Testing

@Suite struct RepairTests {
    private let nodes = (1...3).map(Fixture.node)

    @Test("repairs come back whole, the longest due first, across nodes, and none before its time")
    func order() async throws {
        let store = try await openStore()
        let repairs = [
            Fixture.repair(1, chunk: .max, node: 2, reason: .corrupt, dueAt: 10), Fixture.repair(2, node: 1, reason: .missing, dueAt: 20),
            Fixture.repair(1, node: 3, attempts: 4, dueAt: 30), Fixture.repair(9, node: 1, dueAt: 40),
        ]
        try await store.enqueueRepairs(repairs.shuffled(seed: 1))
        #expect(try await store.repairCount() == 4)
        #expect(try await store.dueRepairs(at: time(9), nodes: nodes, limit: 9) == [])
        #expect(try await store.dueRepairs(at: time(30), nodes: nodes, limit: 9) == Array(repairs[..<3]))
        #expect(try await store.dueRepairs(at: time(99), nodes: nodes, limit: 2) == Array(repairs[..<2]))
        #expect(try await store.dueRepairs(at: time(99), nodes: [nodes[0], nodes[0]], limit: 9) == [repairs[1], repairs[3]])
        #expect(try await store.dueRepairs(at: time(99), nodes: [], limit: 9) == [])
        #expect(try await store.dueRepairs(at: time(99), nodes: nodes, limit: 0) == [])
    }

    @Test("what waits is counted by reason, and the chunks that lack something once each")
    func backlog() async throws {
        let store = try await openStore()
        #expect(try await store.repairBacklog() == RepairBacklog(byReason: [:], chunkCount: 0))
        let repairs = [
            Fixture.repair(1, node: 1), Fixture.repair(1, node: 2), Fixture.repair(1, chunk: 1, node: 1, reason: .corrupt),
            Fixture.repair(2, node: 1, reason: .corrupt),
        ]
        try await store.enqueueRepairs(repairs)
        #expect(try await store.repairBacklog() == RepairBacklog(byReason: [.missed: 2, .corrupt: 2], chunkCount: 3))
        try await store.finishRepairs(repairs)
        #expect(try await store.repairBacklog().chunkCount == 0)
    }

    @Test("chunks that lack most come first, however late they were queued, and count anew when a fragment is restored")
    func fewestCopiesFirst() async throws {
        let store = try await openStore()
        let one = Fixture.repair(5, node: 1, dueAt: 1)
        let two = [Fixture.repair(3, chunk: 7, node: 1, dueAt: 30), Fixture.repair(3, chunk: 7, node: 2, dueAt: 20)]
        // Another chunk of the same blob is none of its business.
        let other = Fixture.repair(3, chunk: 8, node: 1, dueAt: 2)
        try await store.enqueueRepairs([one, other, two[0]])
        #expect(try await store.dueRepairs(at: time(99), nodes: nodes, limit: 9) == [one, other, two[0]])
        try await store.enqueueRepairs([two[1]])
        #expect(try await store.dueRepairs(at: time(99), nodes: nodes, limit: 9) == [two[1], two[0], one, other])
        #expect(try await store.dueRepairs(at: time(99), nodes: nodes, limit: 1) == [two[1]])
        #expect(try await store.dueRepairs(at: time(25), nodes: nodes, limit: 9) == [two[1], one, other])
        try await store.finishRepairs([two[1]])
        #expect(try await store.dueRepairs(at: time(99), nodes: nodes, limit: 9) == [one, other, two[0]])
        try await store.enqueueRepairs([two[1]])
        try await store.dropRepairs(on: Fixture.node(2))
        #expect(try await store.dueRepairs(at: time(99), nodes: nodes, limit: 9) == [one, other, two[0]])
    }

    @Test("a chunk of two copies that lacks one comes before one that lacks two of three losses that it stands, whatever was queued first")
    func fewestLossesLeftFirst() async throws {
        let store = try await openStore()
        let coded = [Fixture.repair(1, node: 1, tolerance: 3, dueAt: 1), Fixture.repair(1, node: 2, tolerance: 3, dueAt: 1)]
        let copy = Fixture.repair(2, node: 1, tolerance: 1, dueAt: 9)
        try await store.enqueueRepairs(coded + [copy])
        #expect(try await store.dueRepairs(at: time(99), nodes: nodes, limit: 9) == [copy] + coded)
        #expect(try await store.dueRepairs(at: time(99), nodes: [nodes[0]], limit: 1) == [copy])
        // One more is lost: now it is as near to its end, and has waited longer.
        let third = Fixture.repair(1, node: 3, tolerance: 3, dueAt: 2)
        try await store.enqueueRepairs([third])
        #expect(try await store.dueRepairs(at: time(99), nodes: nodes, limit: 9) == coded + [third, copy])
    }

    @Test("what was queued before the margin was kept is taken for three copies, and keeps its order")
    func migratedQueue() async throws {
        let directory = try TemporaryDirectory()
        var store = try await openStore(directory.database)
        let repairs = [Fixture.repair(1, node: 1), Fixture.repair(2, node: 1), Fixture.repair(2, node: 2)]
        try await store.enqueueRepairs(repairs)
        try await store.execute(
            sql: """
                DROP INDEX repairs_by_node;
                ALTER TABLE repairs DROP COLUMN margin;
                ALTER TABLE repairs DROP COLUMN tolerance;
                UPDATE repairs SET lacking = (SELECT COUNT(*) FROM repairs AS others WHERE others.blob = repairs.blob);
                CREATE INDEX repairs_by_node ON repairs (node, lacking, due_at);
                DELETE FROM grdb_migrations WHERE identifier = '0005-repair-margin';
                """)
        await store.close()
        store = try await openStore(directory.database)
        #expect(try await store.dueRepairs(at: time(99), nodes: nodes, limit: 9) == [repairs[1], repairs[2], repairs[0]])
        await store.close()
    }

    @Test("a repair that waits already keeps its attempts and its time")
    func enqueuedTwice() async throws {
        let store = try await openStore()
        try await store.enqueueRepairs([Fixture.repair(1, dueAt: 5)])
        try await store.postponeRepairs([Fixture.repair(1)], until: time(50))
        try await store.enqueueRepairs([Fixture.repair(1, reason: .corrupt, dueAt: 5), Fixture.repair(2, dueAt: 6)])
        #expect(try await store.repairCount() == 2)
        #expect(
            try await store.dueRepairs(at: time(99), nodes: nodes, limit: 9) == [
                Fixture.repair(2, dueAt: 6), Fixture.repair(1, attempts: 1, dueAt: 50),
            ])
    }

    @Test("each postponement counts an attempt; what is finished is gone; neither touches what is not there")
    func attempts() async throws {
        let store = try await openStore()
        let repair = Fixture.repair(1)
        try await store.enqueueRepairs([repair, Fixture.repair(1, node: 2)])
        for round in 1...3 {
            try await store.postponeRepairs([repair, Fixture.repair(77)], until: time(Int64(round * 10)))
            #expect(
                try await store.dueRepairs(at: time(99), nodes: [nodes[0]], limit: 9)
                    == [Fixture.repair(1, attempts: round, dueAt: Int64(round * 10))])
        }
        try await store.finishRepairs([repair, repair, Fixture.repair(77)])
        #expect(try await store.dueRepairs(at: time(99), nodes: nodes, limit: 9) == [Fixture.repair(1, node: 2)])
        #expect(try await store.repairCount() == 1)
    }

    @Test("the repairs that writing an object left behind are queued with it")
    func withObject() async throws {
        let store = try await openStore()
        let fixture = try await store.fixture()
        try await store.commit(fixture.object("key", version: 1, blobs: [1]), repairs: [Fixture.repair(1), Fixture.repair(1, node: 2)])
        #expect(try await store.repairCount() == 2)
        #expect(try await store.dueRepairs(at: time(0), nodes: nodes, limit: 9).count == 2)
    }
}
