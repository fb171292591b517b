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

    public func unmoved(before version: Int) async throws -> UnmovedBlobs {
        try await read { database in
            var byClass: [String: BlobTotals] = [:]
            var oldest: Int?
            for row in try Row.fetchAll(database.cachedStatement(sql: SQL.unmoved), arguments: [version]) {
                byClass[try row.text(0)] = BlobTotals(blobCount: try row.integer(1), byteCount: try row.integer(2))
                oldest = min(oldest ?? .max, try row.integer(3))
            }
            return UnmovedBlobs(byClass: byClass, oldestVersion: oldest)
        }
    }

    public func blobsInRepair(among blobs: [BlobID]) async throws -> Set<BlobID> {
        try await readConsistently { database in
            let statement = try database.cachedStatement(sql: SQL.isInRepair)
            return try Set(blobs.filter { try Row.fetchOne(statement, arguments: [$0.data]) != nil })
        }
    }
}
