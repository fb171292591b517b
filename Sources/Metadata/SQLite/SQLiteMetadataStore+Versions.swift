public import Core
internal import Foundation
internal import GRDB

extension SQLiteMetadataStore {
    public func commit(_ object: ObjectRecord, condition: WriteCondition, repairs: [RepairRecord]) async throws -> CommittedVersion {
        let row = try ObjectRow(object)
        return try await write(isChange: { _ in !self.isInternal(object.bucket) }) { transaction in
            let committed = try transaction.put(row, condition: condition)
            try transaction.enqueue(repairs)
            return committed
        }
    }

    public func version(_ selector: VersionSelector, of key: String, in bucket: BucketID) async throws -> ObjectVersion? {
        let (statement, arguments) = selector.statement(for: StoredKey(bucket: bucket, key: key))
        return try await version(statement, arguments, in: bucket)
    }

    public func delete(
        _ selector: VersionSelector, of key: String, in bucket: BucketID, marker: VersionID, owner: String?, condition: WriteCondition,
        bypassingGovernance: Bool, at time: Timestamp
    ) async throws -> Deletion {
        let key = StoredKey(bucket: bucket, key: key)
        return try await write { transaction in
            try transaction.delete(
                selector, of: key, marker: marker, owner: owner, condition: condition, bypassingGovernance: bypassingGovernance, at: time)
        }
    }

    public func changeAttributes(
        of selector: VersionSelector, of key: String, in bucket: BucketID,
        _ change: @escaping @Sendable (inout ObjectAttributes) throws -> Void
    ) async throws -> ObjectRecord? {
        let key = StoredKey(bucket: bucket, key: key)
        let outcome = try await write { transaction -> Change in
            guard let found = try transaction.version(selector, of: key), case .object(let object) = found else { return .impossible }
            var attributes = object.attributes
            do { try change(&attributes) } catch { return .refused(error) }
            guard attributes != object.attributes else { return .made(object) }
            let arguments: StatementArguments = [try AttributesColumn.encode(attributes)]
            let place = key.arguments + [object.version.data]
            if try transaction.run(SQL.setAttributesOfLatest, arguments + place) == 0 {
                try transaction.run(SQL.setAttributesOfOlder, arguments + place)
            }
            return .made(try transaction.object(.named(object.version), of: key))
        }
        switch outcome {
        case .impossible: return nil
        case .refused(let error): throw error
        case .made(let object): return object
        }
    }

    /// What became of a change of attributes. What its maker throws is no error of the database.
    private enum Change {
        case impossible
        case refused(any Error)
        case made(ObjectRecord?)
    }

    /// Reads a version by a statement that gives one row at most.
    func version(_ sql: String, _ arguments: StatementArguments, in bucket: BucketID) async throws -> ObjectVersion? {
        let found = try await read { database -> FoundVersion? in
            guard let row = try Row.fetchOne(database.cachedStatement(sql: sql), arguments: arguments) else { return nil }
            return try row.hasSeveralBlobs() ? .severalBlobs : .whole(try row.version(in: bucket, database: database))
        }
        switch found {
        case nil: return nil
        case .whole(let version): return version
        case .severalBlobs:
            // Another statement: both must see the same state.
            return try await readConsistently { database in
                try Row.fetchOne(database.cachedStatement(sql: sql), arguments: arguments)?.version(in: bucket, database: database)
            }
        }
    }

    private enum FoundVersion {
        case whole(ObjectVersion)
        case severalBlobs
    }
}

extension WriteTransaction {
    fileprivate func version(_ selector: VersionSelector, of key: StoredKey) throws -> ObjectVersion? {
        let (statement, arguments) = selector.statement(for: key)
        return try row(statement, arguments)?.version(in: key.bucket, database: database)
    }

    fileprivate func object(_ selector: VersionSelector, of key: StoredKey) throws -> ObjectRecord? {
        guard case .object(let object) = try version(selector, of: key) else { return nil }
        return object
    }
}

extension VersionSelector {
    /// One statement for the whole row, wherever it stands.
    fileprivate func statement(for key: StoredKey) -> (sql: String, arguments: StatementArguments) {
        switch self {
        case .latest: (SQL.latestVersion, key.arguments)
        case .null: (SQL.nullVersion, key.arguments)
        case .named(let version): (SQL.namedVersion, key.arguments + [version.data])
        }
    }
}
