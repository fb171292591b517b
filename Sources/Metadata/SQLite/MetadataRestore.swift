public import Core
internal import Foundation
internal import GRDB

/// Puts a backup in the place of a database that no process has open. Needs no server; everything here blocks.
public enum MetadataRestore {
    public struct Outcome: Hashable, Sendable {
        /// Whose metadata it is.
        public let cluster: ClusterID
        /// What the backup knows of.
        public let totals: MetadataTotals
        /// The newest layout that the backup knows of; nil when it has none.
        public let layoutVersion: Int?
        /// Where the database is that was there before; nil when there was none.
        public let replaced: String?
    }

    /// Copies the backup, checks the copy, notes the time in it, and puts it in the place of what was there, which is renamed,
    /// never deleted: `DATABASE.replaced-TIME`, with what SQLite keeps beside it.
    ///
    /// Whenever it is broken off, the old database is there as it was, or the new one, or neither: then ``checkFinished(_:)`` keeps a
    /// start from founding a new cluster, and repeating the restore helps.
    /// - Parameters:
    ///   - backup: a file that `MetadataStore.backup` made; not changed.
    ///   - database: where the store opens it.
    ///   - replacing: whether a database may be there already.
    ///   - time: now; the store learns it by `MetadataStore.restoredAt`.
    /// - Throws: ``MetadataError/locked(path:)`` while a process has the database open; ``MetadataError/conflict(detail:)`` when there
    ///   is one and `replacing` is false; ``MetadataError/unknownSchema(path:detail:)``; ``MetadataError/damaged(detail:)``;
    ///   ``MetadataError/failure(detail:)``.
    public static func run(backup: String, database: String, replacing: Bool, at time: Timestamp) throws -> Outcome {
        try run(backup: backup, database: database, replacing: replacing, at: time) { _ in }
    }

    /// Whether ``run(backup:database:replacing:at:)`` could begin now: for those who make the backup first.
    /// - Throws: ``MetadataError/locked(path:)``, ``MetadataError/conflict(detail:)``, ``MetadataError/failure(detail:)``.
    public static func checkPlace(_ database: String, replacing: Bool) throws {
        guard replacing || !DurableFiles.exists(database) else { throw MetadataError.conflict(detail: "\(database) exists already") }
        try FileLock(path: database + ".lock").release()
    }

    /// What a crash finds on the disk, in the order in which it comes about.
    package enum Step: CaseIterable, Sendable {
        case copied, kept, removed, alone, placed
    }

    /// - Parameter reach: called after each step, for tests.
    package static func run(
        backup: String, database: String, replacing: Bool, at time: Timestamp, reach: (Step) -> Void
    ) throws -> Outcome {
        do {
            try DatabaseFileHeader.check(backup)
            let directory = URL(fileURLWithPath: database).deletingLastPathComponent().path
            try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
            let lock = try FileLock(path: SQLiteMetadataStore.lockPath(ofDatabase: database))
            defer { lock.release() }
            guard replacing || !DurableFiles.exists(database) else { throw MetadataError.conflict(detail: "\(database) exists already") }
            return try place(backup, at: database, time, reach: reach)
        } catch {
            throw MetadataError(error)
        }
    }

    /// Called with the database locked, before it is opened.
    /// - Throws: ``MetadataError/restoreUnfinished(path:)`` when the old database has gone and the new one has not come.
    static func checkFinished(_ database: String) throws {
        guard DurableFiles.exists(copyName(database)) else { return }
        guard DurableFiles.exists(database) else { throw MetadataError.restoreUnfinished(path: database) }
        // It had only begun: nothing was touched yet.
        try Snapshot.remove(copyName(database))
    }

    private static func copyName(_ database: String) -> String { database + ".restoring" }

    private static func place(_ backup: String, at database: String, _ time: Timestamp, reach: (Step) -> Void) throws -> Outcome {
        let copy = copyName(database)
        try Snapshot.remove(copy)
        let content: Content
        let replaced: String?
        do {
            try DurableFiles.copy(backup, to: copy)
            content = try Snapshot.seal(copy) { try describe($0, path: backup, at: time) }
            try DurableFiles.synchronizeDirectory(of: copy)
            reach(.copied)
            replaced = try keep(database, at: time)
            reach(.kept)
        } catch {
            try? Snapshot.remove(copy)
            throw error
        }
        // The copy stays from here on, whatever happens: it says that the restore is unfinished.
        try DurableFiles.remove(database)
        try DurableFiles.synchronizeDirectory(of: database)
        reach(.removed)
        // What has been written to the old database's log must never be taken for the new one's.
        for suffix in Snapshot.companions { try DurableFiles.remove(database + suffix) }
        try DurableFiles.synchronizeDirectory(of: database)
        reach(.alone)
        try DurableFiles.rename(copy, to: database)
        try DurableFiles.synchronizeDirectory(of: database)
        reach(.placed)
        return Outcome(cluster: content.cluster, totals: content.totals, layoutVersion: content.layoutVersion, replaced: replaced)
    }

    private struct Content {
        let cluster: ClusterID
        let totals: MetadataTotals
        let layoutVersion: Int?
    }

    /// Checks that the copy can be used, and writes the time of the restore into it.
    private static func describe(_ copy: DatabaseQueue, path: String, at time: Timestamp) throws -> Content {
        try copy.writeWithoutTransaction { database in
            try Snapshot.check(database)
            try Schema.check(database, path: path, mayBeEmpty: false)
        }
        return try copy.write { database in
            guard let cluster = try Row.fetchOne(database, sql: SQL.setting, arguments: [SQLiteMetadataStore.clusterSetting]) else {
                throw MetadataError.unknownSchema(path: path, detail: "it is of no cluster")
            }
            let counters = Dictionary(
                try Row.fetchAll(database, sql: SQL.counters).map { (try $0.text(0), try $0.integer(1, as: Int64.self)) },
                uniquingKeysWith: { $1 })
            try database.execute(
                sql: SQL.saveSetting, arguments: [SQLiteMetadataStore.restoredSetting, Data("\(time.millisecondsSince1970)".utf8)])
            return Content(
                cluster: try cluster.identifier(0),
                totals: MetadataTotals(objectCount: counters["objects"] ?? 0, byteCount: counters["bytes"] ?? 0),
                layoutVersion: try Row.fetchAll(database, sql: SQL.layouts).last?.integer(0))
        }
    }

    /// Gives the database, and what belongs to it, a second name, under which it is whole whatever happens to the first.
    /// - Returns: the database's second name; nil when there is none.
    private static func keep(_ database: String, at time: Timestamp) throws -> String? {
        let isThere = DurableFiles.exists(database)
        let style = Date.ISO8601FormatStyle(dateSeparator: .omitted, timeSeparator: .omitted)
        let date = Date(timeIntervalSince1970: Double(time.millisecondsSince1970 / 1_000))
        let first = "\(database).replaced-\(date.formatted(style))"
        // Two in one second.
        var name = first
        var number = 1
        while ([""] + Snapshot.companions).contains(where: { DurableFiles.exists(name + $0) }) {
            number += 1
            name = "\(first)-\(number)"
        }
        do {
            for suffix in [""] + Snapshot.companions where DurableFiles.exists(database + suffix) {
                try DurableFiles.link(database + suffix, as: name + suffix)
            }
            try DurableFiles.synchronizeDirectory(of: database)
        } catch {
            try? Snapshot.remove(name)
            throw error
        }
        return isThere ? name : nil
    }
}
