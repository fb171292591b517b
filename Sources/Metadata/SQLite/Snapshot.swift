internal import GRDB

/// A copy of a database as one file: no write-ahead log beside it, nothing to be done before it can be read.
enum Snapshot {
    /// Makes a file of what `copy` puts into a new database. Blocks.
    /// - Parameter path: written under the name `path.tmp` first. The file is durable under its own name on return, or not there.
    /// - Throws: ``MetadataError/conflict(detail:)`` when the file exists and is not to be replaced; what `copy` and GRDB throw.
    static func write(to path: String, replacing: Bool, copy: (DatabaseQueue) throws -> Void) throws {
        guard replacing || !DurableFiles.exists(path) else { throw MetadataError.conflict(detail: "\(path) exists already") }
        let temporary = path + ".tmp"
        try remove(temporary)
        do {
            try seal(temporary, copy)
            guard replacing || !DurableFiles.exists(path) else { throw MetadataError.conflict(detail: "\(path) exists already") }
            try DurableFiles.rename(temporary, to: path)
        } catch {
            try? remove(temporary)
            throw error
        }
        try DurableFiles.synchronizeDirectory(of: path)
    }

    /// Runs `body` with the database at `path`, takes it out of WAL mode, checks every page of it and makes it durable.
    /// - Throws: ``MetadataError/damaged(detail:)``; what `body` and GRDB throw.
    static func seal<Value>(_ path: String, _ body: (DatabaseQueue) throws -> Value) throws -> Value {
        let database = try DatabaseQueue(path: path)
        let value: Value
        do {
            value = try body(database)
            try database.writeWithoutTransaction { connection in
                try connection.execute(sql: "PRAGMA journal_mode = DELETE")
                try check(connection)
            }
            try database.close()
        } catch {
            try? database.close()
            throw error
        }
        try DurableFiles.synchronize(path)
        return value
    }

    /// Reads everything. Minutes for a database of many gigabytes.
    /// - Throws: ``MetadataError/damaged(detail:)``; what GRDB throws.
    static func check(_ database: Database) throws {
        let report = try String.fetchAll(database, sql: "PRAGMA integrity_check(1)")
        guard report == ["ok"] else { throw MetadataError.damaged(detail: report.first ?? "the check of it says nothing") }
    }

    /// With the files that SQLite keeps beside it.
    static func remove(_ path: String) throws {
        for suffix in [""] + companions { try DurableFiles.remove(path + suffix) }
    }

    /// What the names of the files that belong to a database have after its own.
    static let companions = ["-wal", "-shm", "-journal"]
}
