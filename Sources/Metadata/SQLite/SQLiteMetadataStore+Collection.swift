public import Core
internal import Foundation
internal import GRDB

extension SQLiteMetadataStore {
    public func knownBlobs(among blobs: [BlobID]) async throws -> Set<BlobID> {
        try await readConsistently { database in
            let references = try database.cachedStatement(sql: SQL.references)
            let garbage = try database.cachedStatement(sql: SQL.isGarbage)
            return try Set(
                blobs.filter { blob in
                    try Row.fetchOne(references, arguments: [blob.data]) != nil || Row.fetchOne(garbage, arguments: [blob.data]) != nil
                })
        }
    }

    public func garbage(after blob: BlobID?, limit: Int) async throws -> [GarbageRecord] {
        guard limit > 0 else { return [] }
        return try await read { database in
            try Row.fetchAll(database.cachedStatement(sql: SQL.garbage), arguments: [blob?.data ?? Data(), limit]).map { row in
                GarbageRecord(blob: try row.blob(0), since: try row.timestamp(5))
            }
        }
    }

    public func garbageTotals() async throws -> BlobTotals {
        try await read { database in
            guard let row = try Row.fetchOne(database.cachedStatement(sql: SQL.garbageTotals)) else {
                return BlobTotals(blobCount: 0, byteCount: 0)
            }
            return BlobTotals(blobCount: try row.integer(0), byteCount: try row.integer(1))
        }
    }

    public func addGarbage(_ blobs: [BlobRecord], at time: Timestamp) async throws {
        try await write(isChange: { _ in false }) { transaction in
            for blob in blobs { try transaction.discardUnlessReferred(blob, at: time) }
        }
    }

    public func removeGarbage(_ blobs: [BlobID]) async throws {
        try await write(isChange: { _ in false }) { transaction in
            for blob in blobs {
                try transaction.run(SQL.deleteGarbage, [blob.data])
                transaction.counters.repairs -= Int64(try transaction.run(SQL.deleteRepairsOfBlob, [blob.data]))
            }
        }
    }
}
