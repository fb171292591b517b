import Core
import Foundation
import Metadata
import Testing

@Suite struct BackupTests {
    private let cluster = ClusterID(uuid: UUIDv7(high: 5, low: 5))

    /// A store of a cluster with an object, its directory, and a backup of it in a directory of its own.
    private func backedUp() async throws -> (
        store: SQLiteMetadataStore, source: TemporaryDirectory, target: TemporaryDirectory, file: String
    ) {
        let source = try TemporaryDirectory()
        let target = try TemporaryDirectory()
        let store = try await openStore(source.database)
        _ = try await store.clusterID(orElse: cluster)
        try await store.commit(try await store.fixture().object("kept", version: 1, blobs: [1, 2]), repairs: [])
        let file = source.path + "/backup"
        try await store.backup(to: file)
        return (store, source, target, file)
    }

    private func names(_ directory: TemporaryDirectory) throws -> [String] {
        try FileManager.default.contentsOfDirectory(atPath: directory.path).filter { !$0.hasSuffix(".lock") }.sorted()
    }

    @Test("a backup that is made while others write holds the whole of a transaction, or nothing of it")
    func consistent() async throws {
        let directory = try TemporaryDirectory()
        let executor = ThreadPoolExecutor(threadCount: 4)
        let store = try await openStore(directory.database, executor: executor)
        _ = try await store.clusterID(orElse: cluster)
        let fixture = try await store.fixture()
        let backups = (0..<6).map { directory.path + "/backup\($0)" }
        try await withThrowingTaskGroup(of: Void.self) { group in
            for writer in 0..<4 {
                group.addTask {
                    var number = 0
                    while !Task.isCancelled {
                        // An object, its two blobs, its repair and the counters: one transaction.
                        let id = (writer + 1) * 1_000_000 + number * 2
                        let object = fixture.object("\(writer)/\(number)", version: id, blobs: [id, id + 1])
                        try await store.commit(object, repairs: [Fixture.repair(id)])
                        number += 1
                    }
                }
            }
            for backup in backups {
                let before = try await store.totals().objectCount
                while try await store.totals().objectCount < before + 200 { try await Task.sleep(for: .milliseconds(1)) }
                try await store.backup(to: backup)
            }
            group.cancelAll()
            try await group.waitForAll()
        }
        await store.close()

        var last: Int64 = 0
        for backup in backups {
            #expect(!FileManager.default.fileExists(atPath: backup + "-wal"))
            let copy = try await openStore(backup)
            let totals = try await copy.totals()
            #expect(totals.objectCount >= last + 200)
            last = totals.objectCount
            let objects = try await copy.objects(in: fixture.bucket.id, after: nil, limit: 1_000_000)
            #expect(objects.count == Int(totals.objectCount))
            #expect(objects.allSatisfy { $0.blobs.count == 2 })
            #expect(objects.reduce(0) { $0 + $1.byteCount } == totals.byteCount)
            #expect(try await copy.repairCount() == objects.count)
            // What a writer wrote before is there: no gaps.
            for writer in 0..<4 {
                let keys = objects.map(\.key).filter { $0.hasPrefix("\(writer)/") }
                #expect(Set(keys) == Set((0..<keys.count).map { "\(writer)/\($0)" }))
            }
            await copy.close()
        }
    }

    @Test("a file that is there is refused unless it may be replaced")
    func existing() async throws {
        let (store, source, _, file) = try await backedUp()
        let before = try Data(contentsOf: URL(fileURLWithPath: file))
        try await store.commit(try await store.fixture().object("later", version: 2, blobs: [3]), repairs: [])
        await #expect(throws: MetadataError.conflict(detail: "\(file) exists already")) { try await store.backup(to: file) }
        #expect(try Data(contentsOf: URL(fileURLWithPath: file)) == before)
        try await store.backup(to: file, replacing: true)
        #expect(try Data(contentsOf: URL(fileURLWithPath: file)) != before)
        #expect(try names(source).filter { $0.hasPrefix("backup") } == ["backup"])
        await store.close()
        await #expect(throws: MetadataError.closed) { try await store.backup(to: file + "2") }
    }

    @Test("a backup that fails leaves nothing")
    func failing() async throws {
        let (store, source, _, _) = try await backedUp()
        await #expect(throws: MetadataError.self) { try await store.backup(to: source.path + "/missing/backup") }
        await #expect(throws: MetadataError.self) { try await store.backup(to: source.path, replacing: true) }
        #expect(!FileManager.default.fileExists(atPath: source.path + ".tmp"))
        await store.close()
    }

    @Test("a restored database has everything, says when it was restored, and the one before is kept with its log")
    func restored() async throws {
        let (store, source, target, file) = try await backedUp()
        #expect(try await store.restoredAt() == nil)
        await store.close()
        // As a killed process leaves it: rows in the log only.
        let old = try await openStore(target.database)
        _ = try await old.ensureBucket(named: "old", at: time(1))
        let victim = try TemporaryDirectory()
        for suffix in ["", "-wal", "-shm"] {
            try FileManager.default.copyItem(atPath: target.database + suffix, toPath: victim.database + suffix)
        }
        await old.close()

        #expect(throws: MetadataError.conflict(detail: "\(victim.database) exists already")) {
            try MetadataRestore.run(backup: file, database: victim.database, replacing: false, at: time(1_767_323_045_678))
        }
        let outcome = try MetadataRestore.run(backup: file, database: victim.database, replacing: true, at: time(1_767_323_045_678))
        #expect(outcome.cluster == cluster)
        #expect(outcome.totals == MetadataTotals(objectCount: 1, byteCount: 200))
        #expect(outcome.replaced == victim.database + ".replaced-20260102T030405Z")

        let new = try await openStore(victim.database)
        #expect(try await new.restoredAt() == time(1_767_323_045_678))
        #expect(try await new.clusterID(orElse: ClusterID(uuid: UUIDv7(high: 9, low: 9))) == cluster)
        let bucket = try #require(try await new.bucket(named: "files"))
        #expect(try await new.object(in: bucket.id, key: "kept")?.blobs.count == 2)
        #expect(try await new.bucket(named: "old") == nil)
        await new.close()
        let replaced = try await openStore(victim.database + ".replaced-20260102T030405Z")
        #expect(try await replaced.bucket(named: "old") != nil)
        await replaced.close()
        _ = source
    }

    /// A directory as a crash at that moment leaves it.
    private func copy(_ directory: TemporaryDirectory) throws -> TemporaryDirectory {
        let copy = try TemporaryDirectory()
        for name in try FileManager.default.contentsOfDirectory(atPath: directory.path) {
            try FileManager.default.copyItem(atPath: "\(directory.path)/\(name)", toPath: "\(copy.path)/\(name)")
        }
        return copy
    }

    @Test("a restore that is broken off leaves the old database, or the new one, or one that cannot be opened before it is repeated")
    func brokenOff() async throws {
        let (store, source, target, file) = try await backedUp()
        await store.close()
        // As a killed process leaves it: rows in the log only.
        let old = try await openStore(target.database)
        _ = try await old.ensureBucket(named: "old", at: time(1))
        let victim = try copy(target)
        await old.close()

        var crashes: [(step: MetadataRestore.Step, directory: TemporaryDirectory)] = []
        _ = try MetadataRestore.run(backup: file, database: victim.database, replacing: true, at: time(1_000)) { step in
            do { crashes.append((step, try self.copy(victim))) } catch { Issue.record(error) }
        }
        #expect(crashes.map(\.step) == MetadataRestore.Step.allCases)
        for (step, directory) in crashes {
            let isUnfinished = [.removed, .alone].contains(step)
            do {
                let found = try await openStore(directory.database)
                #expect(!isUnfinished)
                #expect(try await (found.bucket(named: "old") != nil) == (step != .placed))
                #expect(try await found.restoredAt() == (step == .placed ? time(1_000) : nil))
                await found.close()
            } catch MetadataError.restoreUnfinished(let path) {
                #expect(isUnfinished && path == directory.database)
            }
            // Repeated, it comes to its end; nothing needs to be replaced by then.
            _ = try MetadataRestore.run(backup: file, database: directory.database, replacing: !isUnfinished, at: time(2_000))
            let new = try await openStore(directory.database)
            #expect(try await new.restoredAt() == time(2_000))
            #expect(try await new.bucket(named: "old") == nil)
            await new.close()
            // And the old one is there, with what was in its log.
            let kept = try names(directory).filter { $0.contains("replaced") && $0.hasSuffix("Z") }
            var keptWhole = 0
            for name in kept {
                let replaced = try await openStore("\(directory.path)/\(name)")
                if try await replaced.bucket(named: "old") != nil { keptWhole += 1 }
                await replaced.close()
            }
            #expect(keptWhole >= 1, "\(step): \(kept)")
            #expect(try names(directory).filter { $0.contains("restoring") } == [])
        }
        _ = source
    }

    @Test("nothing is restored under a process that has the database open")
    func locked() async throws {
        let (store, source, _, file) = try await backedUp()
        #expect(throws: MetadataError.locked(path: source.database + ".lock")) {
            try MetadataRestore.run(backup: file, database: source.database, replacing: true, at: time(1))
        }
        await store.close()
    }

    enum Harm: CaseIterable { case truncated, shortened, flipped, foreign, text, newer, nameless, logBeside, missing }

    @Test("what is damaged, foreign or of a newer version is refused, and nothing is touched", arguments: Harm.allCases)
    func refused(harm: Harm) async throws {
        let (store, source, target, file) = try await backedUp()
        let url = URL(fileURLWithPath: file)
        var bytes = try Data(contentsOf: url)
        switch harm {
        case .truncated: bytes.removeLast(100)
        case .shortened:
            // By a page, and the header says so: only the check of all pages finds it.
            let pages = UInt32(bytes.count / 4096 - 1)
            bytes.removeLast(4096)
            bytes.replaceSubrange(28..<32, with: withUnsafeBytes(of: pages.bigEndian) { Array($0) })
        case .flipped: bytes.replaceSubrange(4096 * 2..<4096 * 2 + 200, with: Data(repeating: 0xA5, count: 200))
        case .foreign: bytes.replaceSubrange(68..<72, with: Data([0, 0, 0, 1]))
        case .text: bytes = Data("no database".utf8)
        case .newer, .nameless:
            let sql = harm == .newer ? "INSERT INTO grdb_migrations (identifier) VALUES ('9999-from-the-future')" : "DELETE FROM settings"
            try await store.execute(sql: sql)
            try await store.backup(to: file, replacing: true)
            bytes = try Data(contentsOf: url)
        case .logBeside: try Data([1]).write(to: URL(fileURLWithPath: file + "-wal"))
        case .missing: break
        }
        try bytes.write(to: url)
        if harm == .missing { try FileManager.default.removeItem(at: url) }
        await store.close()

        let old = try await openStore(target.database)
        _ = try await old.ensureBucket(named: "old", at: time(1))
        await old.close()
        let before = try names(target)
        let content = try Data(contentsOf: URL(fileURLWithPath: target.database))
        #expect {
            try MetadataRestore.run(backup: file, database: target.database, replacing: true, at: time(1))
        } throws: { error in
            switch (harm, error as? MetadataError) {
            case (.truncated, .damaged), (.shortened, .damaged), (.flipped, .damaged): true
            case (.foreign, .unknownSchema(_, let detail)): detail.contains("not a database of this program")
            case (.text, .unknownSchema(_, let detail)): detail.contains("not a database")
            case (.newer, .unknownSchema(_, let detail)): detail.contains("newer version")
            case (.nameless, .unknownSchema(_, let detail)): detail.contains("of no cluster")
            case (.logBeside, .unknownSchema(_, let detail)): detail.contains("lies beside it")
            case (.missing, .failure): true
            default: false
            }
        }
        #expect(try names(target) == before)
        #expect(try Data(contentsOf: URL(fileURLWithPath: target.database)) == content)
        _ = source
    }
}
