import Core
import Foundation
import Metadata
import Testing

#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

@Suite struct DurabilityTests {
    @Test("every commit is followed by fdatasync unless the setting says otherwise", arguments: [Durability.fsync, .none])
    func pragmas(durability: Durability) async throws {
        let directory = try TemporaryDirectory()
        var options = SQLiteMetadataStore.Options()
        options.durability = durability
        let store = try await openStore(directory.database, options: options)
        let pragmas = try await store.durabilityPragmas()
        #expect(pragmas.synchronous == (durability == .fsync ? 2 : 0))
        #expect(pragmas.journalMode == "wal")
        await store.close()
    }

    @Test("everything is there after closing and opening again")
    func reopen() async throws {
        let directory = try TemporaryDirectory()
        let cluster = ClusterID(uuid: UUIDv7(high: 1, low: 1))
        var store = try await openStore(directory.database)
        let fixture = try await store.fixture()
        _ = try await store.clusterID(orElse: cluster)
        let object = fixture.object("key", version: 1, blobs: [1, 2])
        try await store.commit(object, repairs: [Fixture.repair(1)])
        try await store.addGarbage([Fixture.blob(9)], at: time(1))
        await store.close()

        store = try await openStore(directory.database)
        #expect(try await store.clusterID(orElse: ClusterID(uuid: UUIDv7(high: 2, low: 2))) == cluster)
        #expect(try await store.bucket(named: "files") == fixture.bucket)
        #expect(try await store.object(in: fixture.bucket.id, key: "key") == object)
        #expect(try await store.repairCount() == 1)
        #expect(try await store.totals() == MetadataTotals(objectCount: 1, byteCount: 200))
        #expect(try await store.garbageIDs() == [Fixture.blobID(9)])
        await store.close()
    }

    /// The files as a killed process leaves them, in the middle of its work, are a copy of the files.
    @Test("what was acknowledged before the process was killed is there when the next one opens the database")
    func killed() async throws {
        let directory = try TemporaryDirectory()
        let store = try await openStore(directory.database)
        let fixture = try await store.fixture()
        for number in 0..<50 { try await store.commit(fixture.object("k\(number)", version: number, blobs: [number]), repairs: []) }
        let copy = try TemporaryDirectory()
        for suffix in ["", "-wal"] { try FileManager.default.copyItem(atPath: directory.database + suffix, toPath: copy.database + suffix) }
        try await store.commit(fixture.object("later", version: 99, blobs: [99]), repairs: [])
        await store.close()

        let survivor = try await openStore(copy.database)
        let objects = try await survivor.objects(in: fixture.bucket.id, after: nil, limit: 100)
        #expect(Set(objects.map(\.key)) == Set((0..<50).map { "k\($0)" }))
        #expect(try await survivor.totals() == MetadataTotals(objectCount: 50, byteCount: 5000))
        await survivor.close()
    }

    @Test("a database that is open is refused to a second opener, by its path, and free again after")
    func locked() async throws {
        let directory = try TemporaryDirectory()
        let store = try await openStore(directory.database)
        await #expect(throws: MetadataError.locked(path: directory.database + ".lock")) { try await openStore(directory.database) }
        await store.close()
        let next = try await openStore(directory.database)
        await next.close()
    }

    @Test("a database of a newer version, or of another program, is refused and left alone")
    func unknownSchema() async throws {
        let newer = try TemporaryDirectory()
        let store = try await openStore(newer.database)
        try await store.execute(sql: "INSERT INTO grdb_migrations (identifier) VALUES ('9999-from-the-future')")
        await store.close()
        await #expect {
            try await openStore(newer.database)
        } throws: { error in
            guard case MetadataError.unknownSchema(newer.database, let detail) = error else { return false }
            return detail.contains("newer")
        }

        let foreign = try TemporaryDirectory()
        let other = try await openStore(foreign.database)
        try await other.execute(sql: "PRAGMA application_id = 12345")
        await other.close()
        await #expect {
            try await openStore(foreign.database)
        } throws: { error in
            guard case MetadataError.unknownSchema = error else { return false }
            return true
        }

        let nonsense = try TemporaryDirectory()
        try Data(repeating: 0x5A, count: 100_000).write(to: URL(fileURLWithPath: nonsense.database))
        await #expect {
            try await openStore(nonsense.database)
        } throws: { error in
            guard case MetadataError.damaged = error else { return false }
            return true
        }
    }

    @Test("a directory that does not exist is an error, not a crash")
    func noDirectory() async throws {
        await #expect(throws: MetadataError.self) { try await openStore("/nonexistent/chunkflow/metadata.sqlite") }
    }

    @Test("calls after closing are refused; closing twice does no harm; what was waiting is answered")
    func closing() async throws {
        let directory = try TemporaryDirectory()
        let executor = ThreadPoolExecutor(threadCount: 2)
        let store = try await openStore(directory.database, executor: executor)
        let fixture = try await store.fixture()
        let acknowledged = await withTaskGroup(of: Int?.self) { group in
            for number in 0..<100 {
                group.addTask {
                    do {
                        try await store.commit(fixture.object("k\(number)", version: number, blobs: [number]), repairs: [])
                        return number
                    } catch MetadataError.closed {
                        return nil
                    } catch {
                        Issue.record(error)
                        return nil
                    }
                }
            }
            group.addTask {
                await store.close()
                return nil
            }
            var numbers: [Int] = []
            for await case let number? in group { numbers.append(number) }
            return numbers
        }
        await store.close()
        await #expect(throws: MetadataError.closed) { try await store.totals() }
        await #expect(throws: MetadataError.closed) { try await store.object(in: fixture.bucket.id, key: "k1") }
        await #expect(throws: MetadataError.closed) { try await store.commit(fixture.object("x", version: 1, blobs: [1]), repairs: []) }

        let next = try await openStore(directory.database)
        let objects = try await next.objects(in: fixture.bucket.id, after: nil, limit: 1000)
        #expect(Set(objects.map(\.key)) == Set(acknowledged.map { "k\($0)" }))
        await next.close()
    }

    @Test("a database that was closed is whole in one file")
    func closedIsWhole() async throws {
        let directory = try TemporaryDirectory()
        let store = try await openStore(directory.database)
        let fixture = try await store.fixture()
        for number in 0..<10 {
            try await store.commit(fixture.object("k\(number)", version: number, blobs: [number]), repairs: [])
            _ = try await store.object(in: fixture.bucket.id, key: "k\(number)")
        }
        await store.close()
        try FileManager.default.copyItem(atPath: directory.database, toPath: directory.path + "/copy")
        let copy = try await openStore(directory.path + "/copy")
        #expect(try await copy.totals().objectCount == 10)
        await copy.close()
    }

    @Test("a write-ahead log that SQLite does not get to empty is emptied when it has grown too large")
    func logIsBounded() async throws {
        let directory = try TemporaryDirectory()
        var options = SQLiteMetadataStore.Options()
        options.maximumLogSize = 1 << 20
        options.durability = .none
        let store = try await openStore(directory.database, options: options)
        let fixture = try await store.fixture()
        // What readers who are always there bring about: SQLite's own checkpoints never reach the end of the log.
        try await store.execute(sql: "PRAGMA wal_autocheckpoint = 0")
        var largest: Int64 = 0
        for number in 0..<600 {
            try await store.commit(fixture.object("k\(number)", version: number, blobs: [number]), repairs: [])
            // Lets the log grow, and only as long as it lasts.
            if number == 200 { try await store.backup(to: directory.path + "/backup") }
            let attributes = try FileManager.default.attributesOfItem(atPath: directory.database + "-wal")
            largest = max(largest, (attributes[.size] as? NSNumber)?.int64Value ?? 0)
        }
        // Between two looks at it the log may grow by what those batches write.
        #expect((1 << 20..<3 << 20).contains(largest), "\(largest) bytes")
        #expect(try await store.totals().objectCount == 600)
        await store.close()
    }
}
