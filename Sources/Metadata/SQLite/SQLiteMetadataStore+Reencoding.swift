public import Core
internal import Foundation
internal import GRDB

extension SQLiteMetadataStore {
    public func bucketClasses(after name: String?, limit: Int) async throws -> [BucketRecord] {
        guard limit > 0 else { return [] }
        return try await read { database in
            // No bucket has an empty name.
            let arguments: StatementArguments = [Data((name ?? "").utf8), Data([BucketRecord.internalPrefix]), limit]
            return try Row.fetchAll(database.cachedStatement(sql: ReencodingSQL.buckets), arguments: arguments).map { try $0.bucket() }
        }
    }

    public func setStorageClass(_ storageClass: String?, ofBucket name: String, order: ReencodingID?) async throws -> BucketRecord? {
        if BucketRecord.isInternal(name: name.utf8) { return nil }
        // Outside of the transaction, for which all others wait: it is a figure to show how far the work has come.
        let count = order == nil ? 0 : try await objectCount(ofBucket: name)
        return try await write { transaction in
            guard try transaction.run(ReencodingSQL.setStorageClass, [storageClass, Data(name.utf8)]) > 0,
                let bucket = try transaction.row(SQL.bucket, [Data(name.utf8)])?.bucket()
            else { return nil }
            try transaction.forgetReencoding(ofBucket: bucket.id)
            if let order {
                try transaction.run(ReencodingSQL.insertOrder, [bucket.id.value, order.data, count])
            }
            return bucket
        }
    }

    private func objectCount(ofBucket name: String) async throws -> Int64 {
        try await read { database in
            guard let bucket = try Row.fetchOne(database.cachedStatement(sql: SQL.bucket), arguments: [Data(name.utf8)])?.bucket(),
                let row = try Row.fetchOne(database.cachedStatement(sql: ReencodingSQL.objectCount), arguments: [bucket.id.value])
            else { return 0 }
            return try row.integer(0)
        }
    }

    public func reencodings() async throws -> [ReencodingRecord] {
        try await read { database in
            try Row.fetchAll(database.cachedStatement(sql: ReencodingSQL.orders)).map { try $0.reencoding() }
        }
    }

    public func versions(toReencode order: ReencodingRecord, limit: Int) async throws -> [ObjectRecord] {
        guard limit > 0 else { return [] }
        switch order.position {
        case .latest(let key): return try await objects(in: order.bucket.id, after: key, limit: limit)
        case .older(let key, let version):
            return try await readConsistently { database in
                let arguments: StatementArguments = [
                    order.bucket.id.value, Data((key ?? "").utf8), version?.data ?? Data(), limit,
                ]
                return try Row.fetchAll(database.cachedStatement(sql: ReencodingSQL.olderVersions), arguments: arguments)
                    .map { try $0.object(in: order.bucket.id, database: database) }
            }
        }
    }

    public func saveReencoding(_ order: ReencodingRecord) async throws -> Bool {
        try await write { transaction in
            let (isOlder, key, version): (Bool, String?, VersionID?) =
                switch order.position {
                case .latest(let key): (false, key, nil)
                case .older(let key, let version): (true, key, version)
                }
            return try transaction.run(
                ReencodingSQL.saveOrder,
                [
                    isOlder ? 1 : 0, key.map { Data($0.utf8) }, version?.data, order.examinedCount, order.failedCount,
                    order.reencodedCount, order.reencodedBytes, order.id.data,
                ]) > 0
        }
    }

    public func finishReencoding(_ order: ReencodingID) async throws {
        try await write { try $0.forgetReencoding(order) }
    }

    public func replacements(of blobs: [BlobID], by order: ReencodingID) async throws -> [BlobID: BlobRecord] {
        try await readConsistently { database in
            let statement = try database.cachedStatement(sql: ReencodingSQL.replacement)
            return try blobs.reduce(into: [:]) { found, blob in
                found[blob] = try Row.fetchOne(statement, arguments: [order.data, blob.data])?.blob(0)
            }
        }
    }

    public func replaceBlobs(
        of version: ObjectRecord, with blobs: [BlobRecord], repairs: [RepairRecord], by order: ReencodingID, at time: Timestamp
    ) async throws -> Bool {
        precondition(blobs.count == version.blobs.count, "as many blobs as the version has")
        return try await write { transaction in
            guard let place = try transaction.place(of: version), try transaction.blobs(of: version, in: place) == version.blobs.map(\.id)
            else {
                for blob in blobs { try transaction.discardUnlessReferred(blob, at: time) }
                return false
            }
            // First the new references, so that a blob that stays is not garbage in between.
            try transaction.refer(to: blobs)
            try transaction.setBlobs(blobs, of: version, in: place)
            for old in version.blobs { try transaction.release(old.id.data, at: time) }
            for (old, new) in zip(version.blobs, blobs) where old.id != new.id {
                guard try transaction.row(SQL.references, [old.id.data]) != nil else { continue }
                try transaction.run(ReencodingSQL.insertReplacement, [order.data, old.id.data, new.id.data])
            }
            try transaction.enqueue(repairs)
            return true
        }
    }
}

/// The table that has a version.
private enum VersionPlace {
    case latest
    case older
}

extension WriteTransaction {
    /// Drops the order that a bucket has, if it has one.
    func forgetReencoding(ofBucket bucket: BucketID) throws {
        guard let order = try row(ReencodingSQL.orderOfBucket, [bucket.value]) else { return }
        try forgetReencoding(try order.identifier(0))
    }

    fileprivate func forgetReencoding(_ order: ReencodingID) throws {
        try run(ReencodingSQL.deleteOrder, [order.data])
        try run(ReencodingSQL.deleteReplacements, [order.data])
    }

    private static func key(of version: ObjectRecord) -> StatementArguments {
        [version.bucket.value, Data(version.key.utf8), version.version.data]
    }

    /// - Returns: nil when the version is gone.
    fileprivate func place(of version: ObjectRecord) throws -> VersionPlace? {
        if try row(ReencodingSQL.contentOfLatest, Self.key(of: version)) != nil { return .latest }
        return try row(ReencodingSQL.contentOfOlder, Self.key(of: version)) == nil ? nil : .older
    }

    fileprivate func blobs(of version: ObjectRecord, in place: VersionPlace) throws -> [BlobID] {
        let content = place == .latest ? ReencodingSQL.contentOfLatest : ReencodingSQL.contentOfOlder
        guard let row = try row(content, Self.key(of: version)) else { return [] }
        if !row.isNull(0) { return [try row.identifier(0)] }
        return try rows(SQL.versionBlobs, [version.version.data]).map { try $0.identifier(0) }
    }

    fileprivate func setBlobs(_ blobs: [BlobRecord], of version: ObjectRecord, in place: VersionPlace) throws {
        if blobs.count == 1 {
            let statement = place == .latest ? ReencodingSQL.setBlobOfLatest : ReencodingSQL.setBlobOfOlder
            try run(statement, [blobs[0].id.data] + Self.key(of: version))
            return
        }
        for (blob, row) in zip(blobs, try rows(ReencodingSQL.listedPositions, [version.version.data])) {
            try run(ReencodingSQL.setListedBlob, [blob.id.data, version.version.data, try row.integer(0, as: Int64.self)])
        }
    }

    /// Puts a blob on the garbage list that nothing refers to.
    func discardUnlessReferred(_ blob: BlobRecord, at time: Timestamp) throws {
        guard try row(SQL.references, [blob.id.data]) == nil else { return }
        try run(
            SQL.insertGarbage,
            [
                blob.id.data, blob.byteCount, blob.chunkSize, blob.layoutVersion, blob.storageClass, time.millisecondsSince1970,
            ])
    }
}

extension Row {
    /// Behind the columns of its bucket.
    fileprivate func reencoding() throws -> ReencodingRecord {
        let key = try optionalName(10)
        let position: ReencodingRecord.Position =
            try flag(9) ? .older(after: key, isNull(11) ? nil : try identifier(11)) : .latest(after: key)
        return ReencodingRecord(
            id: try identifier(7), bucket: try bucket(), objectCount: try integer(8), position: position,
            examinedCount: try integer(12), failedCount: try integer(13), reencodedCount: try integer(14), reencodedBytes: try integer(15))
    }
}
