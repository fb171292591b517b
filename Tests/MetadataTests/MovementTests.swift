import Core
import Metadata
import Testing

@Suite struct MovementTests {
    private func store(blobs: [Int]) async throws -> SQLiteMetadataStore {
        let store = try await openStore()
        let fixture = Fixture(bucket: try await store.ensureBucket(named: "b", at: time(0)))
        for number in blobs { try await store.commit(fixture.object("k\(number)", version: number, blobs: [number]), repairs: []) }
        return store
    }

    @Test("all blobs are paged through in the order of their names")
    func pages() async throws {
        let store = try await store(blobs: [3, 1, 2, 5, 4])
        #expect(try await store.blobs(after: nil, limit: 2).map(\.id) == [1, 2].map(Fixture.blobID))
        #expect(try await store.blobs(after: Fixture.blobID(2), limit: 10).map(\.id) == [3, 4, 5].map(Fixture.blobID))
        #expect(try await store.blobs(after: Fixture.blobID(5), limit: 10).isEmpty)
        #expect(try await store.blobs([Fixture.blobID(4), Fixture.blobID(9)]) == [Fixture.blob(4)])
    }

    @Test("a blob goes to a later layout, never back, and what is gone is left alone")
    func moves() async throws {
        let store = try await store(blobs: [1, 2])
        try await store.moveBlobs([Fixture.blobID(1), Fixture.blobID(7)], toLayout: 5)
        #expect(try await store.blobs(after: nil, limit: 9).map(\.layoutVersion) == [5, 3])
        try await store.moveBlobs([Fixture.blobID(1)], toLayout: 4)
        #expect(try await store.blobs(after: nil, limit: 9).map(\.layoutVersion) == [5, 3])
    }

    @Test("what has not moved is counted, with the oldest layout that is in use")
    func unmoved() async throws {
        let store = try await store(blobs: [1, 2, 3])
        #expect(try await store.unmoved(before: 3).totals == BlobTotals(blobCount: 0, byteCount: 0))
        #expect(try await store.unmoved(before: 3).oldestVersion == nil)
        try await store.moveBlobs([Fixture.blobID(1)], toLayout: 4)
        let before4 = try await store.unmoved(before: 4)
        #expect(before4.totals == BlobTotals(blobCount: 2, byteCount: 200))
        let before5 = try await store.unmoved(before: 5)
        #expect(before5.totals == BlobTotals(blobCount: 3, byteCount: 300) && before5.oldestVersion == 3)
    }

    @Test("blobs with a repair in the queue are told from others, and a node's repairs can be dropped")
    func repairs() async throws {
        let store = try await store(blobs: [1, 2, 3])
        try await store.enqueueRepairs([Fixture.repair(1, node: 1), Fixture.repair(1, node: 2), Fixture.repair(2, node: 2)])
        #expect(try await store.blobsInRepair(among: [1, 2, 3].map(Fixture.blobID)) == Set([1, 2].map(Fixture.blobID)))
        try await store.dropRepairs(on: Fixture.node(2))
        #expect(try await store.blobsInRepair(among: [1, 2, 3].map(Fixture.blobID)) == [Fixture.blobID(1)])
        #expect(try await store.repairCount() == 1)
    }

    @Test("a layout and the nodes that change with it are saved together, or not at all")
    func layoutWithNodes() async throws {
        let store = try await openStore()
        let member = NodeRecord(id: Fixture.node(1), address: "a:1", zone: "", addedAt: time(1))
        try await store.saveLayout(version: 1, encoded: [1], nodes: [member], at: time(1))
        var draining = member
        draining.membership = .draining
        draining.weight = 2.5
        await #expect(throws: MetadataError.self) {
            try await store.saveLayout(version: 1, encoded: [2], nodes: [draining], at: time(2))
        }
        #expect(try await store.nodes() == [member])
        try await store.saveLayout(version: 2, encoded: [2], nodes: [draining], at: time(2))
        #expect(try await store.nodes() == [draining])
    }

    @Test("a flag is off until it is set, and stays as it was set")
    func flags() async throws {
        let directory = try TemporaryDirectory()
        let store = try await openStore(directory.database)
        #expect(try await !store.flag(named: "paused"))
        try await store.setFlag(named: "paused", to: true)
        await store.close()
        let again = try await openStore(directory.database)
        #expect(try await again.flag(named: "paused"))
        try await again.setFlag(named: "paused", to: false)
        #expect(try await !again.flag(named: "paused"))
        await again.close()
    }
}
