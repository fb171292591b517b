internal import Core
internal import Foundation
internal import GRDB

extension SQLiteMetadataStore {
    public func list(_ request: ListRequest, in bucket: BucketID) async throws -> ListPage<ObjectRecord> {
        let pattern = KeyPattern(request)
        guard request.limit > 0, let start = pattern.start else { return ListPage() }
        let rowsRead = rowsListed
        return try await readConsistently { database in
            var page = PageInProgress<ObjectRecord>(limit: request.limit)
            var objects = try KeyCursor(SQL.listedObjects, in: bucket, of: database, rowsRead: rowsRead)
            try objects.seek(to: start)
            try page.fill(from: &objects, pattern) { try $0.listedObject(in: bucket) }
            return page.page
        }
    }

    public func listVersions(
        _ request: ListRequest, after version: VersionSelector?, in bucket: BucketID
    ) async throws -> ListPage<ListedVersion> {
        let pattern = KeyPattern(request)
        guard request.limit > 0, let start = pattern.start else { return ListPage() }
        let rowsRead = rowsListed
        return try await readConsistently { database in
            var scan = try VersionScan(bucket: bucket, database: database, rowsRead: rowsRead, limit: request.limit)
            if let version, let key = pattern.resumedKey {
                if try !scan.resume(behind: version, of: key) { return scan.page.page }
            } else {
                try scan.seek(to: start)
            }
            try scan.fill(pattern)
            return scan.page.page
        }
    }

    public func uploads(_ request: ListRequest, after id: UploadID?, in bucket: BucketID) async throws -> ListPage<UploadRecord> {
        let pattern = KeyPattern(request)
        guard request.limit > 0, let start = pattern.start else { return ListPage() }
        let rowsRead = rowsListed
        return try await readConsistently { database in
            var page = PageInProgress<UploadRecord>(limit: request.limit)
            if let id, let key = pattern.resumedKey {
                let rest = try Row.fetchCursor(
                    database.cachedStatement(sql: SQL.listedUploadsOfKey), arguments: [bucket.value, key, id.data])
                while let row = try rest.next() {
                    guard !page.isFull else {
                        try page.breakOff()
                        return page.page
                    }
                    page.add(try row.upload(), key: key)
                }
            }
            var uploads = try KeyCursor(SQL.listedUploads, in: bucket, of: database, rowsRead: rowsRead)
            try uploads.seek(to: start)
            try page.fill(from: &uploads, pattern) { try $0.upload() }
            return page.page
        }
    }

    /// Rows that listings have read since the store was opened.
    package var listedRowCount: Int { rowsListed.value }
}

extension PageInProgress {
    /// Takes rows as they come, each run of those that a common prefix hides as one.
    fileprivate mutating func fill(from rows: inout KeyCursor, _ pattern: KeyPattern, decode: (Row) throws -> Element) throws {
        while let (key, row) = rows.current, pattern.matches(key) {
            guard !isFull else { return try breakOff() }
            if let commonPrefix = pattern.commonPrefix(of: key) {
                try add(commonPrefix: commonPrefix)
                try rows.seek(to: commonPrefix.successorOfAllBeginningSo)
            } else {
                add(try decode(row), key: key)
                try rows.advance()
            }
        }
    }
}

/// Goes through the versions of a bucket: those in `objects` and those in `object_versions`, side by side.
private struct VersionScan {
    private let bucket: BucketID
    private let database: Database
    private let rowsRead: RowCount
    private var latest: KeyCursor
    /// Keys that have older versions. Never advanced, as a key may have a million: it seeks.
    private var keysWithOlder: KeyCursor
    private(set) var page: PageInProgress<ListedVersion>

    init(bucket: BucketID, database: Database, rowsRead: RowCount, limit: Int) throws {
        self.bucket = bucket
        self.database = database
        self.rowsRead = rowsRead
        latest = try KeyCursor(SQL.listedObjects, in: bucket, of: database, rowsRead: rowsRead)
        keysWithOlder = try KeyCursor(SQL.listedKeysWithOlder, in: bucket, of: database, rowsRead: rowsRead)
        page = PageInProgress(limit: limit)
    }

    mutating func seek(to key: Data?) throws {
        try latest.seek(to: key)
        try keysWithOlder.seek(to: key)
    }

    private var key: Data? {
        guard let one = latest.current?.key, let other = keysWithOlder.current?.key else {
            return latest.current?.key ?? keysWithOlder.current?.key
        }
        return other.lexicographicallyPrecedes(one) ? other : one
    }

    mutating func fill(_ pattern: KeyPattern) throws {
        while let key, pattern.matches(key) {
            guard !page.isFull else { return try page.breakOff() }
            if let commonPrefix = pattern.commonPrefix(of: key) {
                try page.add(commonPrefix: commonPrefix)
                try seek(to: commonPrefix.successorOfAllBeginningSo)
            } else if try !addVersions(of: key) {
                return
            }
        }
    }

    /// Adds the versions of a key that come behind one of it, and goes to the next key.
    /// - Returns: false when the page is full, and broken off.
    mutating func resume(behind selector: VersionSelector, of key: Data) throws -> Bool {
        try seek(to: key)
        guard self.key == key else { return true }
        return try addVersions(of: key, below: bound(selector, of: key))
    }

    /// The name of a version. One called null that is gone has left no trace: then all of the key's are shown again, rather than some
    /// never.
    private func bound(_ selector: VersionSelector, of key: Data) throws -> Data? {
        let (sql, arguments): (String, StatementArguments)
        switch selector {
        case .named(let version): return version.data
        case .latest: (sql, arguments) = (SQL.latestVersion, [bucket.value, key])
        case .null: (sql, arguments) = (SQL.nullVersion, [bucket.value, key])
        }
        return try Row.fetchOne(database.cachedStatement(sql: sql), arguments: arguments)?.bytes(1)
    }

    /// - Parameter bound: only versions with lesser names.
    private mutating func addVersions(of key: Data, below bound: Data? = nil) throws -> Bool {
        var newest: Data?
        if let (latestKey, row) = latest.current, latestKey == key {
            let name = try row.bytes(1)
            newest = name
            if bound.map({ name.lexicographicallyPrecedes($0) }) ?? true {
                page.add(ListedVersion(version: try row.listedVersion(in: bucket), isLatest: true), key: key)
            }
            try latest.advance()
        }
        guard keysWithOlder.current?.key == key else { return true }
        // A latest version that is a delete marker stands among the older ones.
        if newest == nil { newest = try nameOfNewestOlder(of: key) }
        let older = try Row.fetchCursor(
            database.cachedStatement(sql: SQL.listedOlder), arguments: [bucket.value, key, bound ?? Self.aboveAllNames])
        while let row = try older.next() {
            rowsRead.increment()
            guard !page.isFull else {
                try page.breakOff()
                return false
            }
            let isLatest = try row.bytes(1) == newest
            page.add(ListedVersion(version: try row.listedVersion(in: bucket), isLatest: isLatest), key: key)
        }
        try keysWithOlder.seek(to: key.successor)
        return true
    }

    private func nameOfNewestOlder(of key: Data) throws -> Data? {
        try Row.fetchOne(database.cachedStatement(sql: SQL.newestOlder), arguments: [bucket.value, key])?.bytes(0)
    }

    private static let aboveAllNames = Data(repeating: .max, count: UUIDv7.byteCount + 1)
}
