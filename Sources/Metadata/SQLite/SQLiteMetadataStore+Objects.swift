public import Core
internal import Foundation
internal import GRDB

extension SQLiteMetadataStore {
    public func commit(_ object: ObjectRecord, repairs: [RepairRecord]) async throws {
        _ = try await commit(object, condition: .none, repairs: repairs)
    }

    public func object(in bucket: BucketID, key: String) async throws -> ObjectRecord? {
        guard case .object(let object) = try await version(SQL.object, [bucket.value, Data(key.utf8)], in: bucket) else { return nil }
        return object
    }

    public func objects(in bucket: BucketID, after key: String?, limit: Int) async throws -> [ObjectRecord] {
        guard limit > 0 else { return [] }
        return try await readConsistently { database in
            let rows =
                if let key {
                    try Row.fetchCursor(database.cachedStatement(sql: SQL.objects), arguments: [bucket.value, Data(key.utf8), limit])
                } else {
                    try Row.fetchCursor(database.cachedStatement(sql: SQL.firstObjects), arguments: [bucket.value, limit])
                }
            var objects: [ObjectRecord] = []
            while let row = try rows.next() { objects.append(try row.object(in: bucket, database: database)) }
            return objects
        }
    }

    public func deleteObject(in bucket: BucketID, key: String, at time: Timestamp) async throws -> Bool {
        try await write(isChange: { $0 && !self.isInternal(bucket) }) { transaction in
            let key = StoredKey(bucket: bucket, key: key)
            guard try transaction.latestObject(of: key) != nil else { return false }
            _ = try transaction.delete(
                .latest, of: key, marker: VersionID(uuid: UUIDv7(earliestAt: time)), owner: nil, condition: .none,
                bypassingGovernance: false,
                at: time)
            return true
        }
    }
}

extension UUIDv7 {
    /// The least that could be made at `time`.
    fileprivate init(earliestAt time: Timestamp) {
        self.init(high: UInt64(max(0, time.millisecondsSince1970)) << 16 | 0x7000, low: 1 << 63)
    }
}
