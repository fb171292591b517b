import Core
import Foundation
import GRDB
import Metadata
import Testing

/// Databases of earlier versions of the program.
@Suite struct MigrationTests {
    private let bucket = Data("files".utf8)
    private let first = Fixture.blobID(1)
    private let second = Fixture.blobID(2)
    private let third = Fixture.blobID(3)
    private let discarded = Fixture.blobID(4)
    private let cluster = ClusterID(uuid: UUIDv7(high: 9, low: 9))

    private func bytes(_ id: some Identifier128) -> Data { Data(id.bytes) }

    /// A database as the very first version left it: a node, a layout, a bucket with a file, an older version of another, repairs, garbage.
    private func makeFirstDatabase(_ path: String) throws {
        let database = try DatabaseQueue(path: path)
        try database.write { database in
            try database.execute(sql: FirstSchema.sql)
            try database.execute(
                sql: "INSERT INTO nodes (id, address, zone, added_at) VALUES (?, 's1:9001', 'rack1', 5), (?, 's2:9001', '', 6)",
                arguments: [bytes(Fixture.node(1)), bytes(Fixture.node(2))])
            try database.execute(
                sql: "INSERT INTO layouts (version, encoded, created_at) VALUES (3, ?, 7)", arguments: [Data([1, 2, 3])])
            try database.execute(
                sql: "INSERT INTO settings (name, value) VALUES ('cluster', ?)", arguments: [bytes(cluster)])
            try database.execute(sql: "INSERT INTO buckets (id, name, created_at) VALUES (1, ?, 8)", arguments: [bucket])
            for blob in [first, second, third] {
                try database.execute(sql: "INSERT INTO blobs VALUES (?, 100, 8388608, 3, 'replicated', 1)", arguments: [bytes(blob)])
            }
            try database.execute(
                sql: "INSERT INTO objects VALUES (1, ?, ?, 1, 100, ?, ?, 'e1', 7, 9, NULL, ?, 1)",
                arguments: [
                    Data("a".utf8), bytes(VersionID(uuid: UUIDv7(high: 1, low: 2))), Data("a.txt".utf8), Data("text/plain".utf8),
                    bytes(first),
                ])
            try database.execute(
                sql: "INSERT INTO objects VALUES (1, ?, ?, 1, 200, NULL, ?, 'e2', NULL, 10, '{\"k\":\"v\"}', NULL, 2)",
                arguments: [Data("b".utf8), bytes(VersionID(uuid: UUIDv7(high: 2, low: 2))), Data("text/plain".utf8)])
            for (position, blob) in [second, third].enumerated() {
                try database.execute(
                    sql: "INSERT INTO object_blobs VALUES (?, ?, ?)",
                    arguments: [bytes(VersionID(uuid: UUIDv7(high: 2, low: 2))), position, bytes(blob)])
            }
            try database.execute(
                sql: "INSERT INTO garbage VALUES (?, 50, 8388608, 2, 'replicated', 11)", arguments: [bytes(discarded)])
            // One fragment of the first chunk waits, and two of the second.
            for (blob, node) in [(first, 1), (second, 1), (second, 2)] {
                try database.execute(
                    sql: "INSERT INTO repairs VALUES (?, 0, 0, ?, 3, 'missed', 2, 12)", arguments: [bytes(blob), bytes(Fixture.node(node))])
            }
            try database.execute(sql: "UPDATE counters SET value = 2 WHERE name = 'objects'")
            try database.execute(sql: "UPDATE counters SET value = 300 WHERE name = 'bytes'")
            try database.execute(sql: "UPDATE counters SET value = 3 WHERE name = 'repairs'")
        }
        try database.close()
    }

    @Test("a database of the first version opens, with all that it had, and takes what is new")
    func upgrade() async throws {
        let directory = try TemporaryDirectory()
        try makeFirstDatabase(directory.database)
        // The second opening finds nothing left to do.
        for _ in 0..<2 {
            let store = try await openStore(directory.database)
            try await checkContent(store)
            await store.close()
        }
        let store = try await openStore(directory.database)
        let node = NodeRecord(id: Fixture.node(2), address: "s2:9001", zone: "", addedAt: time(6), weight: 2, membership: .draining)
        try await store.saveNode(node)
        #expect(try await store.nodes().contains(node))
        #expect(try await store.deleteObject(in: BucketID(value: 1), key: "b", at: time(20)))
        #expect(try await store.garbageIDs().sorted() == [second, third, discarded])
        await store.close()
    }

    private func checkContent(_ store: SQLiteMetadataStore) async throws {
        #expect(try await store.clusterID(orElse: ClusterID(uuid: UUIDv7(high: 8, low: 8))) == cluster)
        #expect(try await store.totals() == MetadataTotals(objectCount: 2, byteCount: 300))
        #expect(
            try await store.nodes() == [
                NodeRecord(id: Fixture.node(1), address: "s1:9001", zone: "rack1", addedAt: time(5), weight: 1, membership: .member),
                NodeRecord(id: Fixture.node(2), address: "s2:9001", zone: "", addedAt: time(6), weight: 1, membership: .member),
            ])
        #expect(try await store.layouts().map(\.version) == [3])
        let bucket = try #require(try await store.bucket(named: "files"))
        let objects = try await store.objects(in: bucket.id, after: nil, limit: 10)
        #expect(objects.map(\.key) == ["a", "b"])
        #expect(objects.map(\.fileName) == ["a.txt", nil])
        #expect(objects.map { $0.blobs.map(\.id) } == [[first], [second, third]])
        #expect(objects.map(\.userMetadata) == [[:], ["k": "v"]])
        #expect(try await store.garbageIDs() == [discarded])
        #expect(try await store.repairCount() == 3)
        // The chunk that lacks two is nearer to its end: what the first version did not know is computed from what it had.
        let due = try await store.dueRepairs(at: time(12), nodes: [Fixture.node(1), Fixture.node(2)], limit: 10)
        #expect(due.map(\.fragment.chunk.blob) == [second, second, first])
        #expect(due.map(\.attempts) == [2, 2, 2])
    }

    @Test("a database of the first version is brought to the very schema that a new one has")
    func sameSchema() async throws {
        let directory = try TemporaryDirectory()
        try makeFirstDatabase(directory.database)
        let fresh = directory.path + "/fresh.sqlite"
        for path in [directory.database, fresh] { await (try openStore(path)).close() }
        func schema(_ path: String) throws -> [String] {
            let tables = "SELECT sql FROM sqlite_master WHERE sql IS NOT NULL AND name NOT LIKE 'grdb%' ORDER BY name"
            return try DatabaseQueue(path: path).read { database in
                // Comments and spaces are not what matters.
                try String.fetchAll(database, sql: tables).map { sql in
                    sql.split(separator: "\n").map { $0.split(separator: "--", maxSplits: 1, omittingEmptySubsequences: false)[0] }
                        .flatMap { $0.split(separator: " ") }.joined(separator: " ")
                }
            }
        }
        #expect(try schema(directory.database) == schema(fresh))
    }
}
