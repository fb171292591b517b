internal import Core
internal import Foundation
internal import GRDB

/// A key of a bucket, as the tables have it.
struct StoredKey: Equatable {
    let bucket: BucketID
    let name: Data

    init(bucket: BucketID, name: Data) {
        self.bucket = bucket
        self.name = name
    }

    init(bucket: BucketID, key: String) { self.init(bucket: bucket, name: Data(key.utf8)) }

    var arguments: StatementArguments { [bucket.value, name] }
}

/// What a writer must know of a version to judge, move or remove it.
struct StoredVersion {
    let version: VersionID
    let isNullVersion: Bool
    let isDeleteMarker: Bool
    let byteCount: Int64
    let etag: String
    let createdAt: Timestamp
    /// As they are encoded: seldom looked at.
    let attributes: String?
    /// The only one; where there are several, they stand in a table of their own.
    let blob: Data?
    let blobCount: Int
    let partCount: Int

    init(_ row: Row) throws {
        version = try row.identifier(0)
        isNullVersion = try row.flag(1)
        byteCount = try row.integer(2)
        etag = try row.text(3)
        createdAt = try row.timestamp(4)
        attributes = try row.optionalText(5)
        blob = row.isNull(6) ? nil : try row.bytes(6)
        blobCount = try row.integer(7)
        partCount = try row.integer(8)
        isDeleteMarker = try row.flag(9)
    }

    /// - Throws: ``MetadataError/protected`` for a version that must not be removed.
    func checkRemovable(at time: Timestamp, bypassingGovernance: Bool) throws {
        guard !isDeleteMarker, let attributes else { return }
        if try AttributesColumn.decode(attributes).isProtected(at: time, bypassingGovernance: bypassingGovernance) {
            throw MetadataError.protected
        }
    }
}

extension WriteCondition {
    /// Looks at the latest version before another takes its place.
    /// - Parameter object: nil when the key has none, or has a delete marker.
    func checkReplacement(of object: StoredVersion?) throws {
        if self == .none { return }
        guard let object else {
            if ifMatch != nil || byteCount != nil || createdAt != nil { throw MetadataError.noSuchKey }
            return
        }
        guard holds(for: object) else { throw MetadataError.preconditionFailed }
    }

    /// Looks at the version that is to be deleted, or to be hidden by a delete marker.
    /// - Parameters:
    ///   - found: nil when there is none.
    ///   - isLatest: whether it was asked for as the latest: a delete marker is no object then.
    func checkDeletion(of found: StoredVersion?, isLatest: Bool) throws {
        if self == .none { return }
        guard let found else { throw MetadataError.noSuchKey }
        guard found.isDeleteMarker else {
            guard holds(for: found) else { throw MetadataError.preconditionFailed }
            return
        }
        let asksForContent = [ifMatch, ifNoneMatch].contains { if case .etags = $0 { true } else { false } }
        if asksForContent || byteCount != nil || createdAt != nil { throw MetadataError.preconditionFailed }
        if isLatest { throw MetadataError.noSuchKey }
    }

    private func holds(for object: StoredVersion) -> Bool {
        if let ifMatch, !ifMatch.includes(object.etag) { return false }
        if let ifNoneMatch, ifNoneMatch.includes(object.etag) { return false }
        if let byteCount, byteCount != object.byteCount { return false }
        if let createdAt, createdAt.secondsSince1970 != object.createdAt.secondsSince1970 { return false }
        return true
    }
}

extension WriteCondition.Match {
    fileprivate func includes(_ etag: String) -> Bool {
        switch self {
        case .any: true
        case .etags(let etags): etags.contains(etag)
        }
    }
}

extension Timestamp {
    /// Whole ones, rounded down.
    fileprivate var secondsSince1970: Int64 {
        let (seconds, rest) = millisecondsSince1970.quotientAndRemainder(dividingBy: 1_000)
        return rest < 0 ? seconds - 1 : seconds
    }
}

extension VersionID {
    /// This name, or the least that is greater than that of a version which was written earlier. Writers name their versions when they
    /// begin: who commits later may have begun earlier, or by a clock that was behind, and is the later version all the same.
    func after(_ earlier: VersionID?) throws -> VersionID {
        guard let earlier, earlier >= self else { return self }
        let (low, carries) = earlier.uuid.low.addingReportingOverflow(1)
        let (high, isLast) = earlier.uuid.high.addingReportingOverflow(carries ? 1 : 0)
        if isLast { throw MetadataError.failure(detail: "there is no name for a version after \(earlier)") }
        return VersionID(uuid: UUIDv7(high: high, low: low))
    }
}
