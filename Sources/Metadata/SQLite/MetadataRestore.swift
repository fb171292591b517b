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

    /// Copies the backup, checks the copy, notes the time in it, and gives it its name when it is durable. Until then
    /// what was there stays as it was. It is renamed, never deleted: `DATABASE.replaced-TIME`, with what SQLite keeps beside it.
    /// - Parameters:
    ///   - backup: a file that `MetadataStore.backup` made; not changed.
    ///   - database: where the store opens it.
    ///   - replacing: whether a database may be there already.
    ///   - time: now; the store learns it by `MetadataStore.restoredAt`.
    /// - Throws: ``MetadataError/locked(path:)`` while a process has the database open; ``MetadataError/conflict(detail:)`` when there
    ///   is one and `replacing` is false; ``MetadataError/unknownSchema(path:detail:)``; ``MetadataError/damaged(detail:)``;
    ///   ``MetadataError/failure(detail:)``.
    public static func run(backup: String, database: String, replacing: Bool, at time: Timestamp) throws -> Outcome {
        do {
            try DatabaseFileHeader.check(backup)
            let directory = URL(fileURLWithPath: database).deletingLastPathComponent().path
            try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
            let lock = try FileLock(path: database + ".lock")
            defer { lock.release() }
            guard replacing || !DurableFiles.exists(database) else { throw MetadataError.conflict(detail: "\(database) exists already") }
            return try place(backup, at: database, time)
        } catch {
            throw MetadataError(error)
        }
    }

    private static func place(_ backup: String, at database: String, _ time: Timestamp) throws -> Outcome {
        let copy = database + ".restoring"
        try Snapshot.remove(copy)
        do {
            try DurableFiles.copy(backup, to: copy)
            let content = try Snapshot.seal(copy) { try describe($0, path: backup, at: time) }
            let replaced = try setAside(database, at: time)
            try DurableFiles.rename(copy, to: database)
            try DurableFiles.synchronizeDirectory(of: database)
            return Outcome(cluster: content.cluster, totals: content.totals, layoutVersion: content.layoutVersion, replaced: replaced)
        } catch {
            try? Snapshot.remove(copy)
            throw error
        }
    }

    /// Checks that the copy can be used, and writes the time of the restore into it.
    private static func describe(
        _ copy: DatabaseQueue, path: String, at time: Timestamp
    ) throws -> (cluster: ClusterID, totals: MetadataTotals, layoutVersion: Int?) {
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
            return (
                cluster: try cluster.identifier(0),
                totals: MetadataTotals(objectCount: counters["objects"] ?? 0, byteCount: counters["bytes"] ?? 0),
                layoutVersion: try Row.fetchAll(database, sql: SQL.layouts).last?.integer(0)
            )
        }
    }

    /// Renames the database and what belongs to it, the database first: a log without its database is never taken for another's,
    /// because a restore that is repeated after a crash comes by here again.
    /// - Returns: the database's new name; nil when there is none.
    private static func setAside(_ database: String, at time: Timestamp) throws -> String? {
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
        for suffix in [""] + Snapshot.companions where DurableFiles.exists(database + suffix) {
            try DurableFiles.rename(database + suffix, to: name + suffix)
        }
        try DurableFiles.synchronizeDirectory(of: database)
        return isThere ? name : nil
    }
}
