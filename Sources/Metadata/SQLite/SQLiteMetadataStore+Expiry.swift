public import Core
internal import Foundation
internal import GRDB

extension SQLiteMetadataStore {
    public func expire(_ orders: [ExpiryOrder], in bucket: BucketID, owner: String?, at time: Timestamp) async throws -> [ExpiryOrder] {
        if orders.isEmpty { return [] }
        return try await write(isChange: { !$0.isEmpty }) { transaction in
            try orders.filter { try transaction.expire($0, in: bucket, owner: owner, at: time) }
        }
    }

    public func documents(_ kind: BucketDocument, after bucket: BucketID?, limit: Int) async throws -> [DocumentOfBucket] {
        try await read { database in
            let rows = try Row.fetchAll(
                database.cachedStatement(sql: SQL.documentsOfKind), arguments: [kind.rawValue, bucket?.value ?? .min, limit])
            return try rows.map { DocumentOfBucket(bucket: try $0.bucket(), text: try $0.name(7)) }
        }
    }
}

extension WriteTransaction {
    /// - Returns: false when the version is not what it was any more, or is locked: nothing has happened then.
    fileprivate mutating func expire(_ order: ExpiryOrder, in bucket: BucketID, owner: String?, at time: Timestamp) throws -> Bool {
        let key = StoredKey(bucket: bucket, key: order.key)
        guard let latest = try latestObject(of: key) ?? newestOlder(of: key) else { return false }
        switch order.kind {
        case .latest: guard latest.version == order.version, !latest.isDeleteMarker else { return false }
        case .noncurrent: guard latest.version > order.version else { return false }
        case .loneMarker:
            guard latest.version == order.version, latest.isDeleteMarker,
                try row(SQL.listedOlder, key.arguments + [order.version.data]) == nil
            else { return false }
        }
        do {
            let deletion = try delete(
                order.kind == .latest ? .latest : .named(order.version), of: key, marker: order.marker, owner: owner, condition: .none,
                bypassingGovernance: false, at: time)
            return deletion.version != nil
        } catch MetadataError.protected {
            // Found out before anything was written.
            return false
        }
    }
}
