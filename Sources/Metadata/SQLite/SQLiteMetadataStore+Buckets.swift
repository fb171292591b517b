public import Core
internal import Foundation
internal import GRDB

extension SQLiteMetadataStore {
    public func ensureBucket(named name: String, at time: Timestamp) async throws -> BucketRecord {
        let bucket = try await write(isChange: { !$0.isInternal }) { transaction in
            if let row = try transaction.row(SQL.bucket, [Data(name.utf8)]) { return try row.bucket() }
            return try transaction.insertBucket(named: name, owner: nil, isLocking: false, at: time)
        }
        note(bucket)
        return bucket
    }

    public func buckets() async throws -> [BucketRecord] {
        try await buckets(ownedBy: .anyone, prefix: "", after: nil, limit: Int(Int32.max))
    }

    public func bucket(named name: String) async throws -> BucketRecord? {
        try await read { database in
            try Row.fetchOne(database.cachedStatement(sql: SQL.bucket), arguments: [Data(name.utf8)])?.bucket()
        }
    }

    public func createBucket(
        named name: String, owner: String?, isLocking: Bool, documents: [BucketDocument: String], at time: Timestamp
    ) async throws -> BucketRecord {
        try await write { transaction in
            guard try transaction.row(SQL.bucket, [Data(name.utf8)]) == nil else {
                throw MetadataError.conflict(detail: "a bucket \(name) exists already")
            }
            let bucket = try transaction.insertBucket(named: name, owner: owner, isLocking: isLocking, at: time)
            for (kind, text) in documents {
                try transaction.run(SQL.saveDocument, [bucket.id.value, kind.rawValue, Data(text.utf8)])
            }
            return bucket
        }
    }

    public func describeBucket(named name: String) async throws -> BucketDescription? {
        try await read { database in
            let rows = try Row.fetchAll(database.cachedStatement(sql: SQL.bucketWithDocuments), arguments: [Data(name.utf8)])
            guard let first = rows.first else { return nil }
            var documents: [BucketDocument: String] = [:]
            for row in rows where !row.isNull(7) {
                // One of an unknown kind may forbid what would be done without it.
                guard let kind = BucketDocument(rawValue: try row.text(7)) else {
                    throw MetadataError.damaged(detail: "a bucket has a document of an unknown kind")
                }
                documents[kind] = try row.name(8)
            }
            return BucketDescription(bucket: try first.bucket(), documents: documents)
        }
    }

    public func buckets(ownedBy owner: BucketOwner, prefix: String, after name: String?, limit: Int) async throws -> [BucketRecord] {
        let pattern = KeyPattern(ListRequest(prefix: prefix, after: name, limit: limit))
        guard limit > 0, let start = pattern.start else { return [] }
        return try await read { database in
            let rows =
                switch owner {
                case .anyone: try Row.fetchAll(database.cachedStatement(sql: SQL.buckets), arguments: [start, limit])
                case .root: try Row.fetchAll(database.cachedStatement(sql: SQL.bucketsOfOwner), arguments: [nil, start, limit])
                case .account(let id):
                    try Row.fetchAll(database.cachedStatement(sql: SQL.bucketsOfOwner), arguments: [Data(id.utf8), start, limit])
                }
            return try rows.prefix { pattern.matches(try $0.bytes(1)) }.map { try $0.bucket() }
        }
    }

    public func deleteBucket(_ bucket: BucketID, at time: Timestamp) async throws {
        try await write { transaction in
            _ = try transaction.versioning(of: bucket)
            for rows in [SQL.anyObject, SQL.anyVersion] where try transaction.row(rows, [bucket.value]) != nil {
                throw MetadataError.bucketNotEmpty
            }
            for upload in try transaction.rows(SQL.uploadsOfBucket, [bucket.value]) {
                try transaction.removeUpload(
                    upload.identifier(1), of: StoredKey(bucket: bucket, name: try upload.bytes(0)), at: time)
            }
            try transaction.forgetReencoding(ofBucket: bucket)
            try transaction.run(SQL.deleteDocuments, [bucket.value])
            try transaction.run(SQL.deleteBucket, [bucket.value])
        }
    }

    public func setVersioning(_ versioning: Versioning, of bucket: BucketID) async throws {
        try await write { transaction in
            guard let record = try transaction.row(SQL.bucketByID, [bucket.value])?.bucket() else {
                throw MetadataError.noSuchBucket(bucket)
            }
            if record.isLocking && versioning != .enabled {
                throw MetadataError.conflict(detail: "a bucket whose objects can be locked keeps their versions")
            }
            if record.versioning != .off && versioning == .off {
                throw MetadataError.conflict(detail: "versioning that was on can be suspended only")
            }
            try transaction.run(SQL.setVersioning, [versioning.rawValue, bucket.value])
        }
    }

    public func setDocument(_ kind: BucketDocument, of bucket: BucketID, to text: String?) async throws {
        try await write { transaction in
            _ = try transaction.versioning(of: bucket)
            if let text {
                try transaction.run(SQL.saveDocument, [bucket.value, kind.rawValue, Data(text.utf8)])
            } else {
                try transaction.run(SQL.deleteDocument, [bucket.value, kind.rawValue])
            }
        }
    }

    public func enableLocking(of bucket: BucketID) async throws {
        try await write { transaction in
            guard try transaction.run(SQL.enableLocking, [Versioning.enabled.rawValue, bucket.value]) > 0 else {
                throw MetadataError.noSuchBucket(bucket)
            }
        }
    }
}

extension WriteTransaction {
    fileprivate func insertBucket(named name: String, owner: String?, isLocking: Bool, at time: Timestamp) throws -> BucketRecord {
        try run(SQL.addToCounter, [1, "buckets"])
        guard let id = try row(SQL.lastBucketID, [])?.integer(0, as: Int64.self) else {
            throw MetadataError.damaged(detail: "the last bucket's id is not there")
        }
        let versioning = isLocking ? Versioning.enabled : .off
        try run(
            SQL.insertBucket,
            [id, Data(name.utf8), time.millisecondsSince1970, owner.map { Data($0.utf8) }, versioning.rawValue, isLocking])
        return BucketRecord(
            id: BucketID(value: id), name: name, createdAt: time, owner: owner, versioning: versioning, isLocking: isLocking)
    }
}

extension Row {
    /// The first seven columns: see `SQL.bucketColumns`.
    func bucket() throws -> BucketRecord {
        guard let versioning = Versioning(rawValue: try integer(4)) else {
            throw MetadataError.damaged(detail: "a bucket has an unknown state of versioning")
        }
        return BucketRecord(
            id: BucketID(value: try integer(0)), name: try name(1), createdAt: try timestamp(2), owner: try optionalName(3),
            versioning: versioning, isLocking: try flag(5), storageClass: try optionalText(6))
    }
}
