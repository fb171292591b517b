internal import Core
internal import Foundation
internal import GRDB

/// Which keys a listing asks for, in bytes.
struct KeyPattern {
    let prefix: Data
    private let delimiter: Data?
    private let after: Data?

    init(_ request: ListRequest) {
        prefix = Data(request.prefix.utf8)
        let delimiter = Data((request.delimiter ?? "").utf8)
        self.delimiter = delimiter.isEmpty ? nil : delimiter
        after = request.after.map { Data($0.utf8) }
    }

    /// The least key that may be on the page; nil when there can be none.
    var start: Data? {
        guard let after else { return prefix }
        if matches(after), let hidden = commonPrefix(of: after) { return hidden.successorOfAllBeginningSo }
        return after.lexicographicallyPrecedes(prefix) ? prefix : after.successor
    }

    /// The key behind which the listing goes on, if it would be on the page itself.
    var resumedKey: Data? {
        guard let after, matches(after), commonPrefix(of: after) == nil else { return nil }
        return after
    }

    func matches(_ key: Data) -> Bool { key.starts(with: prefix) }

    /// What is shown instead of a key that matches: all up to the first delimiter, that included.
    func commonPrefix(of key: Data) -> Data? {
        guard let delimiter, let found = key.range(of: delimiter, in: key.startIndex + prefix.count..<key.endIndex) else { return nil }
        return key[..<found.upperBound]
    }
}

extension Data {
    /// The next in byte order.
    var successor: Data { self + [0] }

    /// The least that is greater than everything that begins with these bytes; nil when there is none.
    var successorOfAllBeginningSo: Data? {
        guard let last = lastIndex(where: { $0 < .max }) else { return nil }
        var bytes = self[...last]
        bytes[last] += 1
        return bytes
    }
}

/// Rows of a bucket in the order of their keys, which stand in their first column, from wherever one wants: what is passed over is
/// not read.
struct KeyCursor {
    private let statement: Statement
    private let bucket: BucketID
    private let rowsRead: RowCount
    private var rows: RowCursor?
    /// Valid until the cursor moves.
    private(set) var current: (key: Data, row: Row)?

    /// - Parameter sql: takes a bucket and the least key, and has no limit. No two cursors at a time may have the same.
    init(_ sql: String, in bucket: BucketID, of database: Database, rowsRead: RowCount) throws {
        statement = try database.cachedStatement(sql: sql)
        self.bucket = bucket
        self.rowsRead = rowsRead
    }

    /// Goes to the first row whose key is not less than `key`; without a key behind the last.
    mutating func seek(to key: Data?) throws {
        // The statement is reset when the old cursor goes: before the new one begins.
        rows = nil
        current = nil
        guard let key else { return }
        rows = try Row.fetchCursor(statement, arguments: [bucket.value, key])
        try advance()
    }

    mutating func advance() throws {
        rowsRead.increment()
        current = try rows?.next().map { (try $0.bytes(0), $0) }
    }
}

/// A page as it fills.
struct PageInProgress<Element: Sendable & Hashable> {
    private(set) var page = ListPage<Element>()
    private let limit: Int
    private var last = Data()

    init(limit: Int) { self.limit = limit }

    var isFull: Bool { page.elements.count + page.commonPrefixes.count >= limit }

    mutating func add(_ element: Element, key: Data) {
        page.elements.append(element)
        last = key
    }

    mutating func add(commonPrefix: Data) throws {
        page.commonPrefixes.append(try String(bytesOfKey: commonPrefix))
        last = commonPrefix
    }

    /// Says that there is more behind the page.
    mutating func breakOff() throws { page.next = try String(bytesOfKey: last) }
}

extension String {
    fileprivate init(bytesOfKey bytes: Data) throws {
        guard let text = String(validating: bytes, as: UTF8.self) else { throw MetadataError.damaged(detail: "a key is not UTF-8") }
        self = text
    }
}
