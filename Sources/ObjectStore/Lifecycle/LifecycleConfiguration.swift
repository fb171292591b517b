public import Core
internal import Foundation
public import Metadata

/// What becomes of a bucket's objects by and by, without anybody asking for it. Kept with the bucket as JSON.
public struct LifecycleConfiguration: Codable, Hashable, Sendable {
    public let rules: [LifecycleRule]

    public init(rules: [LifecycleRule]) { self.rules = rules }

    /// - Throws: `DecodingError` for what is no document of ``document``.
    public init(document: String) throws { self = try JSONDecoder().decode(Self.self, from: Data(document.utf8)) }

    public var document: String {
        get throws {
            let encoder = JSONEncoder()
            encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
            return String(decoding: try encoder.encode(self), as: UTF8.self)
        }
    }

    /// When, in days of the calendar, an object that is the latest version of its key expires first, and by which rule; nil for never.
    public func expiration(of object: ObjectRecord) -> (at: Timestamp, rule: String)? {
        var first: (at: Timestamp, rule: String)?
        for rule in rules where rule.isEnabled && rule.scope.matches(object) {
            guard let due = rule.expiration?.moment(from: object.createdAt, day: .calendar) else { continue }
            if first.map({ due < $0.at }) ?? true { first = (due, rule.id) }
        }
        return first
    }

    /// The fewest beginnings of keys that cover all to which a rule applies that is on and `isMeant`.
    package func prefixes(where isMeant: (LifecycleRule) -> Bool) -> [String] {
        var prefixes: [String] = []
        let given = rules.filter { $0.isEnabled && isMeant($0) }.map { $0.scope.prefix ?? "" }
        for prefix in given.sorted(by: { $0.utf8.lexicographicallyPrecedes($1.utf8) }) {
            if let last = prefixes.last, prefix.utf8.starts(with: last.utf8) { continue }
            prefixes.append(prefix)
        }
        return prefixes
    }
}

/// One rule: what it is about, and what it does. At least one of the last four is there.
public struct LifecycleRule: Codable, Hashable, Sendable {
    /// What it is about. All that is given must hold.
    public struct Scope: Codable, Hashable, Sendable {
        /// How a client wrote it, and reads it again.
        public enum Form: String, Codable, Sendable {
            /// A prefix of the rule itself.
            case rulePrefix
            /// A filter with at most one condition.
            case filter
            /// A filter whose conditions stand together.
            case and
        }

        public let form: Form
        public let prefix: String?
        public let tags: [ObjectAttributes.Tag]
        /// Bytes of content: more than, fewer than.
        public let sizeGreaterThan: Int64?
        public let sizeLessThan: Int64?

        public init(
            form: Form, prefix: String? = nil, tags: [ObjectAttributes.Tag] = [], sizeGreaterThan: Int64? = nil, sizeLessThan: Int64? = nil
        ) {
            self.form = form
            self.prefix = prefix
            self.tags = tags
            self.sizeGreaterThan = sizeGreaterThan
            self.sizeLessThan = sizeLessThan
        }

        func matches(_ object: ObjectRecord) -> Bool {
            guard matches(key: object.key) else { return false }
            if let sizeGreaterThan, object.byteCount <= sizeGreaterThan { return false }
            if let sizeLessThan, object.byteCount >= sizeLessThan { return false }
            return tags.allSatisfy { object.attributes.tags?.contains($0) ?? false }
        }

        /// Delete markers and uploads in progress have neither tags nor size.
        func matchesWithoutContent(key: String) -> Bool {
            tags.isEmpty && sizeGreaterThan == nil && sizeLessThan == nil && matches(key: key)
        }

        private func matches(key: String) -> Bool { prefix.map { key.utf8.starts(with: $0.utf8) } ?? true }
    }

    /// When the latest version expires.
    public enum Expiration: Codable, Hashable, Sendable {
        case days(Int)
        /// Milliseconds since 1970.
        case date(Int64)

        func moment(from time: Timestamp, day: LifecycleDay) -> Timestamp {
            switch self {
            case .days(let count): day.end(of: count, from: time)
            case .date(let date): Timestamp(millisecondsSince1970: date)
            }
        }
    }

    public struct NoncurrentExpiration: Codable, Hashable, Sendable {
        /// Since a later version came.
        public let days: Int
        /// Older objects that are kept whatever their age, the newest of them; nil for none.
        public let kept: Int?

        public init(days: Int, kept: Int? = nil) {
            self.days = days
            self.kept = kept
        }
    }

    public let id: String
    public let isEnabled: Bool
    public let scope: Scope
    public let expiration: Expiration?
    /// Whether a delete marker goes when nothing is behind it any more; nil where nothing is said.
    public let removesLoneMarkers: Bool?
    public let noncurrentExpiration: NoncurrentExpiration?
    /// Days after which an upload that was not completed is aborted.
    public let abortsUploadsAfter: Int?

    public init(
        id: String, isEnabled: Bool, scope: Scope, expiration: Expiration? = nil, removesLoneMarkers: Bool? = nil,
        noncurrentExpiration: NoncurrentExpiration? = nil, abortsUploadsAfter: Int? = nil
    ) {
        self.id = id
        self.isEnabled = isEnabled
        self.scope = scope
        self.expiration = expiration
        self.removesLoneMarkers = removesLoneMarkers
        self.noncurrentExpiration = noncurrentExpiration
        self.abortsUploadsAfter = abortsUploadsAfter
    }

    /// Whether it can have a version go.
    package var isAboutVersions: Bool { expiration != nil || removesLoneMarkers == true || noncurrentExpiration != nil }
}

/// What counts as a day.
package struct LifecycleDay: Sendable {
    private static let calendarDay: Int64 = 86_400_000
    package static let calendar = LifecycleDay(.milliseconds(calendarDay))

    private let milliseconds: Int64

    package init(_ duration: Duration) { milliseconds = max(1, duration.milliseconds) }

    /// The end of the last of `count` days that begin at `time`. Days of the calendar end at midnight, UTC.
    package func end(of count: Int, from time: Timestamp) -> Timestamp {
        let end = time.millisecondsSince1970 + Int64(count) * milliseconds
        guard milliseconds == Self.calendarDay else { return Timestamp(millisecondsSince1970: end) }
        let rest = end % Self.calendarDay
        return Timestamp(millisecondsSince1970: rest == 0 ? end : end - rest + Self.calendarDay)
    }
}
