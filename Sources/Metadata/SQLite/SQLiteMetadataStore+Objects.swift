public import Core
internal import Foundation
internal import GRDB

extension SQLiteMetadataStore {
    public func ensureBucket(named name: String, at time: Timestamp) async throws -> BucketRecord {
        try await write { transaction in
            let bytes = Data(name.utf8)
            if let row = try transaction.row(SQL.bucket, [bytes]) { return try row.bucket(named: name) }
            try transaction.run(SQL.insertBucket, [bytes, time.millisecondsSince1970])
            return BucketRecord(id: BucketID(value: transaction.database.lastInsertedRowID), name: name, createdAt: time)
        }
    }

    public func bucket(named name: String) async throws -> BucketRecord? {
        try await read { database in
            try Row.fetchOne(database.cachedStatement(sql: SQL.bucket), arguments: [Data(name.utf8)])?.bucket(named: name)
        }
    }

    public func commit(_ object: ObjectRecord, repairs: [RepairRecord]) async throws {
        guard object.blobs.reduce(0, { $0 + $1.byteCount }) == object.byteCount else {
            throw MetadataError.failure(detail: "an object has as many bytes as its blobs")
        }
        let userMetadata = try UserMetadataColumn.encode(object.userMetadata)
        try await write { transaction in
            guard try transaction.row(SQL.bucketExists, [object.bucket.value]) != nil else {
                throw MetadataError.noSuchBucket(object.bucket)
            }
            let key = Data(object.key.utf8)
            let previous = try transaction.content(of: object.bucket, key: key)
            // First the new references, so that a blob that stays is not garbage in between.
            try transaction.refer(to: object.blobs)
            if let previous { try transaction.release(previous, at: object.createdAt) }
            let single = object.blobs.count == 1 ? object.blobs[0].id.data : nil
            try transaction.run(
                previous == nil ? SQL.insertObject : SQL.updateObject,
                [
                    object.version.data, object.byteCount, object.fileName.map { Data($0.utf8) }, Data(object.contentType.utf8),
                    object.etag, object.crc32c.map { Int64($0) }, object.createdAt.millisecondsSince1970, userMetadata, single,
                    object.blobs.count, object.bucket.value, key,
                ])
            if single == nil {
                for (position, blob) in object.blobs.enumerated() {
                    try transaction.run(SQL.insertVersionBlob, [object.version.data, position, blob.id.data])
                }
            }
            transaction.counters.objects += previous == nil ? 1 : 0
            transaction.counters.bytes += object.byteCount - (previous?.byteCount ?? 0)
            try transaction.enqueue(repairs)
        }
    }

    public func object(in bucket: BucketID, key: String) async throws -> ObjectRecord? {
        let key = Data(key.utf8)
        let found = try await read { database -> FoundObject? in
            guard let row = try Row.fetchOne(database.cachedStatement(sql: SQL.object), arguments: [bucket.value, key]) else { return nil }
            return try row.hasSeveralBlobs() ? .severalBlobs : .whole(try row.object(in: bucket, database: database))
        }
        switch found {
        case nil: return nil
        case .whole(let object): return object
        case .severalBlobs:
            // Another statement: both must see the same state.
            return try await readConsistently { database in
                let row = try Row.fetchOne(database.cachedStatement(sql: SQL.object), arguments: [bucket.value, key])
                return try row?.object(in: bucket, database: database)
            }
        }
    }

    private enum FoundObject {
        case whole(ObjectRecord)
        case severalBlobs
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
        try await write { transaction in
            let key = Data(key.utf8)
            guard let content = try transaction.content(of: bucket, key: key) else { return false }
            try transaction.run(SQL.deleteObject, [bucket.value, key])
            try transaction.release(content, at: time)
            transaction.counters.objects -= 1
            transaction.counters.bytes -= content.byteCount
            return true
        }
    }
}

/// What an object refers to.
private struct ObjectContent {
    let version: VersionID
    let byteCount: Int64
    let blobs: [Data]
    /// Whether the blobs stand in a table of their own.
    let isListed: Bool
}

extension WriteTransaction {
    fileprivate func content(of bucket: BucketID, key: Data) throws -> ObjectContent? {
        guard let row = try row(SQL.contentOfObject, [bucket.value, key]) else { return nil }
        let version = try row.identifier(0, as: VersionID.self)
        if !row.isNull(2) {
            return ObjectContent(version: version, byteCount: try row.integer(1), blobs: [try row.bytes(2)], isListed: false)
        }
        let blobs = try rows(SQL.versionBlobs, [version.data]).map { try $0.bytes(0) }
        return ObjectContent(version: version, byteCount: try row.integer(1), blobs: blobs, isListed: true)
    }

    fileprivate func release(_ content: ObjectContent, at time: Timestamp) throws {
        for blob in content.blobs { try release(blob, at: time) }
        if content.isListed { try run(SQL.deleteVersionBlobs, [content.version.data]) }
    }
}

extension Row {
    fileprivate func bucket(named name: String) throws -> BucketRecord {
        BucketRecord(id: BucketID(value: try integer(0)), name: name, createdAt: try timestamp(1))
    }

    fileprivate func hasSeveralBlobs() throws -> Bool { try integer(9, as: Int.self) > 1 }

    fileprivate func object(in bucket: BucketID, database: Database) throws -> ObjectRecord {
        let version = try identifier(1, as: VersionID.self)
        let blobCount = try integer(9, as: Int.self)
        var blobs: [BlobRecord] = []
        if blobCount == 1 {
            blobs = [try blob(10)]
        } else if blobCount > 1 {
            blobs = try Row.fetchAll(database.cachedStatement(sql: SQL.blobsOfVersion), arguments: [version.data]).map { try $0.blob(0) }
        }
        let byteCount = try integer(2, as: Int64.self)
        guard blobs.count == blobCount, blobs.reduce(0, { $0 + $1.byteCount }) == byteCount else {
            throw MetadataError.damaged(detail: "the blobs of version \(version) are not what it consists of")
        }
        return ObjectRecord(
            bucket: bucket, key: try name(0), version: version, byteCount: byteCount, fileName: isNull(3) ? nil : try name(3),
            contentType: try name(4), etag: try text(5), crc32c: isNull(6) ? nil : try integer(6), createdAt: try timestamp(7),
            userMetadata: try UserMetadataColumn.decode(isNull(8) ? nil : try text(8)), blobs: blobs)
    }
}
