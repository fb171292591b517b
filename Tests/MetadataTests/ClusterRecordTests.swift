import Core
import Metadata
import Testing

@Suite struct ClusterRecordTests {
    @Test("the cluster keeps the first name that it was given")
    func clusterID() async throws {
        let store = try await openStore()
        let first = ClusterID(uuid: UUIDv7(high: 1, low: 1))
        #expect(try await store.clusterID(orElse: first) == first)
        #expect(try await store.clusterID(orElse: ClusterID(uuid: UUIDv7(high: 2, low: 2))) == first)
    }

    @Test("a node is one record, the one saved last")
    func nodes() async throws {
        let store = try await openStore()
        let one = NodeRecord(id: Fixture.node(1), address: "storage1:9001", zone: "", addedAt: time(1))
        let two = NodeRecord(id: Fixture.node(2), address: "", zone: "Зона", addedAt: time(2))
        try await store.saveNode(two)
        try await store.saveNode(one)
        #expect(try await store.nodes() == [one, two])
        let moved = NodeRecord(id: Fixture.node(1), address: "[::1]:1", zone: "b", addedAt: time(1))
        try await store.saveNode(moved)
        #expect(try await store.nodes() == [moved, two])
    }

    @Test("a moment is kept by its name, before 1970 too, and is not there before it was")
    func moments() async throws {
        let store = try await openStore()
        #expect(try await store.moment(named: "backup") == nil)
        for moment in [time(1), time(-5), time(1 << 40)] {
            try await store.setMoment(named: "backup", to: moment)
            #expect(try await store.moment(named: "backup") == moment)
        }
        #expect(try await store.moment(named: "other") == nil)
        #expect(try await store.flag(named: "backup") == false)
    }

    @Test("a version of the layout is written once")
    func layouts() async throws {
        let store = try await openStore()
        #expect(try await store.layouts().isEmpty)
        try await store.saveLayout(version: 2, encoded: [2, 0, 2], nodes: [], at: time(2))
        try await store.saveLayout(version: 1, encoded: [1], nodes: [], at: time(1))
        await #expect(throws: MetadataError.conflict(detail: "layout 2 exists already")) {
            try await store.saveLayout(version: 2, encoded: [9], nodes: [], at: time(3))
        }
        let layouts = try await store.layouts()
        #expect(layouts.map(\.version) == [1, 2])
        #expect(layouts.map(\.encoded) == [[1], [2, 0, 2]])
    }
}
