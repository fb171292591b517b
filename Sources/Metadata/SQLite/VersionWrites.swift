internal import Core
internal import Foundation
internal import GRDB

/// An object as it goes into a row. Made before the transaction, which all writers share.
struct ObjectRow: Sendable {
    let object: ObjectRecord
    let userMetadata: String?
    let attributes: String?

    /// - Throws: ``MetadataError/failure(detail:)`` for an object that does not consist of its blobs.
    init(_ object: ObjectRecord) throws {
        guard object.hasBytesOfBlobs else { throw MetadataError.failure(detail: "an object has as many bytes as its blobs") }
        self.object = object
        userMetadata = try UserMetadataColumn.encode(object.userMetadata)
        attributes = try AttributesColumn.encode(object.attributes)
    }

    var key: StoredKey { StoredKey(bucket: object.bucket, key: object.key) }
}

// Always true: the row of a key in `objects`, if there is one, is the latest and its name the greatest; without one the greatest in
// `object_versions`, if there is any, is the latest and a delete marker. At most one version of a key is called null; while versioning
// is off, there is no other.
extension WriteTransaction {
    func versioning(of bucket: BucketID) throws -> Versioning {
        guard let row = try row(SQL.versioning, [bucket.value]) else { throw MetadataError.noSuchBucket(bucket) }
        guard let versioning = Versioning(rawValue: try row.integer(0)) else {
            throw MetadataError.damaged(detail: "bucket \(bucket.value) has an unknown state of versioning")
        }
        return versioning
    }

    /// What is in the store's own buckets counts in no total.
    private mutating func count(objects: Int64, bytes: Int64, in bucket: BucketID) throws {
        guard let row = try row(SQL.bucketName, [bucket.value]), !BucketRecord.isInternal(name: try row.bytes(0)) else { return }
        counters.objects += objects
        counters.bytes += bytes
    }

    /// The latest version, if it is an object.
    func latestObject(of key: StoredKey) throws -> StoredVersion? { try row(SQL.storedObject, key.arguments).map(StoredVersion.init) }

    /// The greatest of those that are not in `objects`.
    func newestOlder(of key: StoredKey) throws -> StoredVersion? { try row(SQL.newestOlder, key.arguments).map(StoredVersion.init) }

    /// Makes an object the latest version of its key.
    /// - Parameters:
    ///   - parts: that it was made of.
    ///   - takesOverBlobs: whether the references to its blobs are counted already, and become the object's.
    mutating func put(
        _ row: ObjectRow, condition: WriteCondition, parts: [PartRecord] = [], takesOverBlobs: Bool = false
    ) throws -> CommittedVersion {
        let object = row.object
        let versioning = try versioning(of: object.bucket)
        let key = row.key
        let latest = try latestObject(of: key)
        try condition.checkReplacement(of: latest)
        // First the new references, so that a blob that stays is not garbage in between.
        if !takesOverBlobs { try refer(to: object.blobs) }
        let version = try makeRoom(
            for: object.version, at: key, latest: latest, versioning: versioning, bypassingGovernance: false, time: object.createdAt)
        let committed = CommittedVersion(version: version, isNullVersion: versioning != .enabled, versioning: versioning)
        let single = object.blobs.count == 1 ? object.blobs[0].id.data : nil
        try run(
            latest == nil ? SQL.insertObject : SQL.updateObject,
            [
                version.data, committed.isNullVersion, object.byteCount, object.fileName.map { Data($0.utf8) },
                Data(object.contentType.utf8), object.etag, object.crc32c.map { Int64($0) }, object.createdAt.millisecondsSince1970,
                row.userMetadata, row.attributes, single, object.blobs.count, parts.count, key.bucket.value, key.name,
            ])
        if single == nil {
            for (position, blob) in object.blobs.enumerated() { try run(SQL.insertVersionBlob, [version.data, position, blob.id.data]) }
        }
        for part in parts { try run(SQL.insertVersionPart, part.arguments(of: version)) }
        try count(objects: latest == nil ? 1 : 0, bytes: object.byteCount - (latest?.byteCount ?? 0), in: key.bucket)
        return committed
    }

    /// Makes way for a new latest version: what it replaces is released, what it does not is kept as an older one.
    /// - Parameters:
    ///   - version: the name that it should have.
    ///   - latest: its row in `objects` stays, for the caller to write over or to delete.
    /// - Returns: the name that it gets.
    private mutating func makeRoom(
        for version: VersionID, at key: StoredKey, latest: StoredVersion?, versioning: Versioning, bypassingGovernance: Bool,
        time: Timestamp
    ) throws -> VersionID {
        let replaced: StoredVersion? =
            switch versioning {
            case .enabled: nil
            case .off: latest
            case .suspended: try stored(.null, of: key, latest: latest)
            }
        if let replaced {
            try replaced.checkRemovable(at: time, bypassingGovernance: bypassingGovernance)
            if replaced.version != latest?.version { try run(SQL.deleteVersion, key.arguments + [replaced.version.data]) }
            try release(replaced, at: time)
        }
        if versioning == .off { return version }
        if let latest, latest.version != replaced?.version {
            try run(SQL.copyToOlder, key.arguments)
            return try version.after(latest.version)
        }
        return try version.after(newestOlder(of: key)?.version)
    }

    mutating func delete(
        _ selector: VersionSelector, of key: StoredKey, marker: VersionID, owner: String?, condition: WriteCondition,
        bypassingGovernance: Bool, at time: Timestamp
    ) throws -> Deletion {
        let versioning = try versioning(of: key.bucket)
        let latest = try latestObject(of: key)
        guard selector == .latest else {
            let found = try stored(selector, of: key, latest: latest)
            try condition.checkDeletion(of: found, isLatest: false)
            guard let found else { return Deletion(version: nil, isDeleteMarker: false) }
            try found.checkRemovable(at: time, bypassingGovernance: bypassingGovernance)
            try remove(found, of: key, isLatestObject: found.version == latest?.version, at: time)
            return Deletion(
                version: CommittedVersion(version: found.version, isNullVersion: found.isNullVersion, versioning: versioning),
                isDeleteMarker: found.isDeleteMarker)
        }
        if condition != .none { try condition.checkDeletion(of: latest ?? newestOlder(of: key), isLatest: true) }
        let version = try makeRoom(
            for: marker, at: key, latest: latest, versioning: versioning, bypassingGovernance: bypassingGovernance, time: time)
        if let latest { try deleteLatestRow(latest, of: key) }
        guard versioning != .off else {
            let removed = latest.map { CommittedVersion(version: $0.version, isNullVersion: $0.isNullVersion, versioning: versioning) }
            return Deletion(version: removed, isDeleteMarker: false)
        }
        let made = CommittedVersion(version: version, isNullVersion: versioning == .suspended, versioning: versioning)
        var attributes = ObjectAttributes()
        attributes.owner = owner
        try run(
            SQL.insertDeleteMarker,
            key.arguments + [
                version.data, made.isNullVersion, Data(), time.millisecondsSince1970, try AttributesColumn.encode(attributes),
            ])
        return Deletion(version: made, isDeleteMarker: true)
    }

    private func stored(_ selector: VersionSelector, of key: StoredKey, latest: StoredVersion?) throws -> StoredVersion? {
        switch selector {
        case .latest: latest
        case .null:
            if let latest, latest.isNullVersion { latest } else { try row(SQL.storedNull, key.arguments).map(StoredVersion.init) }
        case .named(let version):
            if let latest, latest.version == version {
                latest
            } else {
                try row(SQL.storedNamed, key.arguments + [version.data]).map(StoredVersion.init)
            }
        }
    }

    /// Removes a version for good. What came before it becomes the latest, should it have been that.
    private mutating func remove(_ found: StoredVersion, of key: StoredKey, isLatestObject: Bool, at time: Timestamp) throws {
        if isLatestObject {
            try deleteLatestRow(found, of: key)
        } else {
            try run(SQL.deleteVersion, key.arguments + [found.version.data])
        }
        try release(found, at: time)
        guard try latestObject(of: key) == nil, let next = try newestOlder(of: key), !next.isDeleteMarker else { return }
        let arguments = key.arguments + [next.version.data]
        try run(SQL.copyToLatest, arguments)
        try run(SQL.deleteVersion, arguments)
        try count(objects: 1, bytes: next.byteCount, in: key.bucket)
    }

    private mutating func deleteLatestRow(_ latest: StoredVersion, of key: StoredKey) throws {
        try run(SQL.deleteObject, key.arguments)
        try count(objects: -1, bytes: -latest.byteCount, in: key.bucket)
    }

    /// Gives back what a version refers to.
    private func release(_ version: StoredVersion, at time: Timestamp) throws {
        if let blob = version.blob {
            try release(blob, at: time)
        } else if version.blobCount > 0 {
            for row in try rows(SQL.versionBlobs, [version.version.data]) { try release(try row.bytes(0), at: time) }
            try run(SQL.deleteVersionBlobs, [version.version.data])
        }
        if version.partCount > 0 { try run(SQL.deleteVersionParts, [version.version.data]) }
    }
}
