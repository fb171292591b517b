public import Core
internal import Foundation
internal import GRDB

extension SQLiteMetadataStore {
    public func createUpload(_ upload: UploadRecord) async throws {
        let userMetadata = try UserMetadataColumn.encode(upload.userMetadata)
        let attributes = try AttributesColumn.encode(upload.attributes)
        try await write { transaction in
            _ = try transaction.versioning(of: upload.bucket)
            try transaction.run(
                SQL.insertUpload,
                [
                    upload.bucket.value, Data(upload.key.utf8), upload.id.data, Data(upload.contentType.utf8), userMetadata, attributes,
                    upload.createdAt.millisecondsSince1970,
                ])
        }
    }

    public func upload(_ id: UploadID) async throws -> UploadRecord? {
        try await read { database in
            try Row.fetchOne(database.cachedStatement(sql: SQL.upload), arguments: [id.data])?.upload()
        }
    }

    public func putPart(_ part: PartRecord, of upload: UploadID, repairs: [RepairRecord]) async throws {
        guard part.number > 0 else { throw MetadataError.failure(detail: "parts are numbered from 1 on") }
        try await write { transaction in
            guard try transaction.key(of: upload) != nil else { throw MetadataError.noSuchUpload }
            let previous = try transaction.row(SQL.blobOfPart, [upload.data, part.number])
            // First the new reference, so that a blob that stays is not garbage in between.
            if let blob = part.blob { try transaction.refer(to: [blob]) }
            if let previous, !previous.isNull(0) { try transaction.release(try previous.bytes(0), at: part.createdAt) }
            try transaction.run(
                SQL.savePart,
                [
                    upload.data, part.number, part.blob?.id.data, part.byteCount, part.etag, part.crc32c.map { Int64($0) }, part.checksum,
                    part.createdAt.millisecondsSince1970,
                ])
            try transaction.enqueue(repairs)
        }
    }

    public func parts(of upload: UploadID, after number: Int, limit: Int) async throws -> [PartRecord] {
        guard limit > 0 else { return [] }
        return try await read { database in
            try Row.fetchAll(database.cachedStatement(sql: SQL.parts), arguments: [upload.data, number, limit]).map { row in
                try row.part(blob: row.isNull(6) ? nil : row.blob(6))
            }
        }
    }

    public func parts(ofVersion version: VersionID, after number: Int, limit: Int) async throws -> [PartRecord] {
        guard limit > 0 else { return [] }
        return try await read { database in
            try Row.fetchAll(database.cachedStatement(sql: SQL.versionParts), arguments: [version.data, number, limit]).map { row in
                try row.part(blob: nil)
            }
        }
    }

    public func completeUpload(
        _ id: UploadID, as object: ObjectRecord, parts: [PartRecord], partsDigest: String, condition: WriteCondition
    ) async throws -> CommittedVersion {
        guard object.blobs == parts.compactMap(\.blob), zip(parts, parts.dropFirst()).allSatisfy({ $0.number < $1.number }) else {
            throw MetadataError.failure(detail: "an object consists of the parts that it is made of, in order")
        }
        let row = try ObjectRow(object)
        return try await write { transaction in
            let key = row.key
            guard let uploadKey = try transaction.key(of: id), uploadKey == key else { throw MetadataError.noSuchUpload }
            let others = try transaction.blobsOfOtherParts(of: id, than: parts)
            // What the parts refer to, the object refers to from now on.
            let committed = try transaction.put(row, condition: condition, parts: parts, takesOverBlobs: true)
            for blob in others { try transaction.release(blob, at: object.createdAt) }
            try transaction.run(SQL.deleteParts, [id.data])
            try transaction.run(SQL.deleteUpload, key.arguments + [id.data])
            try transaction.run(
                SQL.insertCompletedUpload,
                [
                    id.data, key.bucket.value, key.name, partsDigest, object.etag, committed.version.data, committed.isNullVersion,
                    committed.versioning.rawValue, object.createdAt.millisecondsSince1970,
                ])
            return committed
        }
    }

    public func completedUpload(_ id: UploadID) async throws -> CompletedUpload? {
        try await read { database in
            guard let row = try Row.fetchOne(database.cachedStatement(sql: SQL.completedUpload), arguments: [id.data]) else { return nil }
            guard let versioning = Versioning(rawValue: try row.integer(6)) else {
                throw MetadataError.damaged(detail: "a completed upload has an unknown state of versioning")
            }
            return CompletedUpload(
                bucket: BucketID(value: try row.integer(0)), key: try row.name(1), partsDigest: try row.text(2), etag: try row.text(3),
                version: CommittedVersion(version: try row.identifier(4), isNullVersion: try row.flag(5), versioning: versioning))
        }
    }

    public func forgetCompletedUploads(before time: Timestamp) async throws {
        try await write { transaction in _ = try transaction.run(SQL.forgetCompletedUploads, [time.millisecondsSince1970]) }
    }

    public func abortUpload(_ id: UploadID, at time: Timestamp) async throws -> Bool {
        try await write { transaction in
            guard let key = try transaction.key(of: id) else { return false }
            try transaction.removeUpload(id, of: key, at: time)
            return true
        }
    }
}

extension WriteTransaction {
    fileprivate func key(of upload: UploadID) throws -> StoredKey? {
        try row(SQL.keyOfUpload, [upload.data]).map { StoredKey(bucket: BucketID(value: try $0.integer(0)), name: try $0.bytes(1)) }
    }

    /// Its parts become garbage.
    func removeUpload(_ id: UploadID, of key: StoredKey, at time: Timestamp) throws {
        for part in try rows(SQL.storedParts, [id.data]) where !part.isNull(1) { try release(try part.bytes(1), at: time) }
        try run(SQL.deleteParts, [id.data])
        try run(SQL.deleteUpload, key.arguments + [id.data])
    }

    /// - Throws: ``MetadataError/conflict(detail:)`` when one of `parts` is not there any more as it is given. Where its blob lies may
    ///   have changed.
    fileprivate func blobsOfOtherParts(of upload: UploadID, than parts: [PartRecord]) throws -> [Data] {
        var wanted = Dictionary(parts.map { ($0.number, $0) }, uniquingKeysWith: { $1 })
        var others: [Data] = []
        for row in try rows(SQL.storedParts, [upload.data]) {
            let blob = row.isNull(1) ? nil : try row.bytes(1)
            guard let part = wanted.removeValue(forKey: try row.integer(0)) else {
                if let blob { others.append(blob) }
                continue
            }
            guard part.blob?.id.data == blob, part.byteCount == (try row.integer(2)), part.etag == (try row.text(3)) else {
                throw MetadataError.conflict(detail: "part \(part.number) is another by now")
            }
        }
        if let missing = wanted.keys.min() { throw MetadataError.conflict(detail: "part \(missing) is not there any more") }
        return others
    }
}

extension PartRecord {
    /// For the row of a part of `version`.
    func arguments(of version: VersionID) -> StatementArguments {
        [version.data, number, byteCount, etag, crc32c.map { Int64($0) }, checksum, createdAt.millisecondsSince1970]
    }
}

extension Row {
    func upload() throws -> UploadRecord {
        UploadRecord(
            id: try identifier(1), bucket: BucketID(value: try integer(2)), key: try name(0), contentType: try name(3),
            userMetadata: try UserMetadataColumn.decode(optionalText(4)), attributes: try AttributesColumn.decode(optionalText(5)),
            createdAt: try timestamp(6))
    }

    /// The first six columns.
    fileprivate func part(blob: BlobRecord?) throws -> PartRecord {
        PartRecord(
            number: try integer(0), byteCount: try integer(1), etag: try text(2), crc32c: isNull(3) ? nil : try integer(3),
            checksum: try optionalText(4), createdAt: try timestamp(5), blob: blob)
    }
}
