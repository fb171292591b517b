internal import Core
internal import Foundation
internal import GRDB

/// The columns of a row that is a version, in the order of the statements; those of its only blob come behind them.
private enum VersionColumn {
    static let name = 0
    static let version = 1
    static let byteCount = 2
    static let fileName = 3
    static let contentType = 4
    static let etag = 5
    static let crc32c = 6
    static let createdAt = 7
    static let userMetadata = 8
    static let blobCount = 9
    static let isNullVersion = 10
    static let attributes = 11
    static let isDeleteMarker = 12
    static let blob = 13
}

extension Row {
    /// Whether another statement is needed for the whole of it.
    func hasSeveralBlobs() throws -> Bool { try integer(VersionColumn.blobCount, as: Int.self) > 1 }

    /// The version with its blobs.
    func version(in bucket: BucketID, database: Database) throws -> ObjectVersion {
        if try flag(VersionColumn.isDeleteMarker) { return .deleteMarker(try deleteMarker()) }
        return .object(try object(in: bucket, database: database))
    }

    /// The version without its blobs, as listings have it.
    func listedVersion(in bucket: BucketID) throws -> ObjectVersion {
        if try flag(VersionColumn.isDeleteMarker) { return .deleteMarker(try deleteMarker()) }
        return .object(try listedObject(in: bucket))
    }

    func object(in bucket: BucketID, database: Database) throws -> ObjectRecord {
        let version = try identifier(VersionColumn.version, as: VersionID.self)
        let blobCount = try integer(VersionColumn.blobCount, as: Int.self)
        var blobs: [BlobRecord] = []
        if blobCount == 1 {
            blobs = [try blob(VersionColumn.blob)]
        } else if blobCount > 1 {
            blobs = try Row.fetchAll(database.cachedStatement(sql: SQL.blobsOfVersion), arguments: [version.data]).map { try $0.blob(0) }
        }
        let object = try object(in: bucket, version: version, blobs: blobs)
        guard blobs.count == blobCount, object.hasBytesOfBlobs else {
            throw MetadataError.damaged(detail: "the blobs of version \(version) are not what it consists of")
        }
        return object
    }

    func listedObject(in bucket: BucketID) throws -> ObjectRecord {
        try object(in: bucket, version: try identifier(VersionColumn.version), blobs: [])
    }

    private func object(in bucket: BucketID, version: VersionID, blobs: [BlobRecord]) throws -> ObjectRecord {
        ObjectRecord(
            bucket: bucket, key: try name(VersionColumn.name), version: version, isNullVersion: try flag(VersionColumn.isNullVersion),
            byteCount: try integer(VersionColumn.byteCount),
            fileName: try optionalName(VersionColumn.fileName),
            contentType: try name(VersionColumn.contentType), etag: try text(VersionColumn.etag),
            crc32c: isNull(VersionColumn.crc32c) ? nil : try integer(VersionColumn.crc32c),
            createdAt: try timestamp(VersionColumn.createdAt),
            userMetadata: try UserMetadataColumn.decode(optionalText(VersionColumn.userMetadata)),
            attributes: try AttributesColumn.decode(optionalText(VersionColumn.attributes)), blobs: blobs)
    }

    private func deleteMarker() throws -> DeleteMarker {
        DeleteMarker(
            key: try name(VersionColumn.name), version: try identifier(VersionColumn.version),
            isNullVersion: try flag(VersionColumn.isNullVersion), createdAt: try timestamp(VersionColumn.createdAt),
            owner: try AttributesColumn.decode(optionalText(VersionColumn.attributes)).owner)
    }
}

extension ObjectRecord {
    /// Encrypted bytes may be more than the plain ones.
    var hasBytesOfBlobs: Bool { attributes.encryption != nil || blobs.reduce(0) { $0 + $1.byteCount } == byteCount }
}

/// The column `attributes`: nil for none, else a JSON object with sorted names.
enum AttributesColumn {
    static func encode(_ attributes: ObjectAttributes) throws -> String? {
        if attributes.isEmpty { return nil }
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        return String(decoding: try encoder.encode(attributes), as: UTF8.self)
    }

    static func decode(_ text: String?) throws -> ObjectAttributes {
        guard let text else { return ObjectAttributes() }
        do {
            return try JSONDecoder().decode(ObjectAttributes.self, from: Data(text.utf8))
        } catch {
            throw MetadataError.damaged(detail: "attributes: \(error)")
        }
    }
}
