internal import Core
internal import Foundation
internal import GRDB

/// One request's view of the transaction that it shares with the others of its batch.
struct WriteTransaction {
    /// What the requests of a batch add up to; written once, before the commit.
    struct Counters: Equatable {
        var objects: Int64 = 0
        var bytes: Int64 = 0
        var repairs: Int64 = 0
    }

    let database: Database
    var counters = Counters()

    /// Runs a statement that returns no rows.
    /// - Returns: how many rows it changed.
    @discardableResult
    func run(_ sql: String, _ arguments: StatementArguments = []) throws -> Int {
        try database.cachedStatement(sql: sql).execute(arguments: arguments)
        return database.changesCount
    }

    func row(_ sql: String, _ arguments: StatementArguments) throws -> Row? {
        try Row.fetchOne(database.cachedStatement(sql: sql), arguments: arguments)
    }

    func rows(_ sql: String, _ arguments: StatementArguments) throws -> [Row] {
        try Row.fetchAll(database.cachedStatement(sql: sql), arguments: arguments)
    }

    /// Writes what the batch counted.
    func saveCounters() throws {
        for (name, change) in [("objects", counters.objects), ("bytes", counters.bytes), ("repairs", counters.repairs)] where change != 0 {
            try run(SQL.addToCounter, [change, name])
        }
    }

    // MARK: Blobs

    /// Counts one more reference to each blob.
    /// - Throws: ``MetadataError/conflict(detail:)`` for garbage: the nodes may have begun to forget it.
    func refer(to blobs: [BlobRecord]) throws {
        for blob in blobs {
            let id = blob.id.data
            if try row(SQL.isGarbage, [id]) != nil { throw MetadataError.conflict(detail: "blob \(blob.id) is garbage already") }
            try run(SQL.referToBlob, [id, blob.byteCount, blob.chunkSize, blob.layoutVersion, blob.storageClass])
        }
    }

    /// Takes a reference from the blob; without one it is garbage.
    func release(_ blob: Data, at time: Timestamp) throws {
        guard let references = try row(SQL.references, [blob]) else {
            throw MetadataError.damaged(detail: "an object refers to an unknown blob")
        }
        if try references.integer(0, as: Int.self) > 1 {
            try run(SQL.releaseBlob, [blob])
        } else {
            try run(SQL.moveBlobToGarbage, [time.millisecondsSince1970, blob])
            try run(SQL.deleteBlob, [blob])
        }
    }
}
