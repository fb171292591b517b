public import Core
internal import Foundation
internal import GRDB

extension SQLiteMetadataStore {
    public func blobs(after blob: BlobID?, limit: Int) async throws -> [BlobRecord] {
        guard limit > 0 else { return [] }
        return try await read { database in
            try Row.fetchAll(database.cachedStatement(sql: SQL.blobs), arguments: [blob?.data ?? Data(), limit]).map { try $0.blob(0) }
        }
    }

    public func blobs(_ ids: [BlobID]) async throws -> [BlobRecord] {
        if ids.isEmpty { return [] }
        return try await readConsistently { database in
            let statement = try database.cachedStatement(sql: SQL.blob)
            return try ids.compactMap { try Row.fetchOne(statement, arguments: [$0.data])?.blob(0) }
        }
    }

    public func moveBlobs(_ ids: [BlobID], toLayout version: Int) async throws {
        if ids.isEmpty { return }
        try await write { transaction in
            for id in ids { try transaction.run(SQL.moveBlob, [version, id.data, version]) }
        }
    }

    public func unmoved(before version: Int) async throws -> (totals: BlobTotals, oldestVersion: Int?) {
        try await read { database in
            guard let row = try Row.fetchOne(database.cachedStatement(sql: SQL.unmoved), arguments: [version]) else {
                return (BlobTotals(blobCount: 0, byteCount: 0), nil)
            }
            return (
                BlobTotals(blobCount: try row.integer(0), byteCount: try row.integer(1)), row.isNull(2) ? nil : try row.integer(2)
            )
        }
    }

    public func blobsInRepair(among blobs: [BlobID]) async throws -> Set<BlobID> {
        try await readConsistently { database in
            let statement = try database.cachedStatement(sql: SQL.isInRepair)
            return try Set(blobs.filter { try Row.fetchOne(statement, arguments: [$0.data]) != nil })
        }
    }
}
