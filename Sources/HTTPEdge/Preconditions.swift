package import Core
package import NIOHTTP1

/// The conditional requests of RFC 9110 13, for one representation.
package struct Preconditions {
    package enum Outcome: Equatable {
        case proceed
        /// 304
        case notModified
        /// 412
        case failed
    }

    /// Without quotation marks; strong.
    private let etag: String
    /// Whole seconds, as HTTP dates have no more.
    private let lastModified: Int64

    package init(etag: String, lastModified: Timestamp) {
        self.etag = etag
        self.lastModified = lastModified.millisecondsSince1970 / 1_000
    }

    /// The order of RFC 9110 13.2.2, for GET and HEAD.
    package func evaluate(_ headers: HTTPHeaders) -> Outcome {
        if headers.contains(name: "if-match") {
            if !Self.matches(headers["if-match"], etag: etag, weakly: false) { return .failed }
        } else if let date = Self.seconds(headers.first(name: "if-unmodified-since")), lastModified > date {
            return .failed
        }
        if headers.contains(name: "if-none-match") {
            if Self.matches(headers["if-none-match"], etag: etag, weakly: true) { return .notModified }
        } else if let date = Self.seconds(headers.first(name: "if-modified-since")), lastModified <= date {
            return .notModified
        }
        return .proceed
    }

    /// Whether a `Range` counts: there is no `If-Range`, or it names just this representation (RFC 9110 13.1.5).
    package func honoursRange(_ headers: HTTPHeaders) -> Bool {
        guard let condition = headers.first(name: "if-range") else { return true }
        let text = HeaderText.trimmed(condition)
        if text.hasPrefix("\"") || text.hasPrefix("W/") { return text == "\"\(etag)\"" }
        return Self.seconds(text) == lastModified
    }

    private static func seconds(_ text: String?) -> Int64? {
        text.flatMap { CalendarDate.timestamp(httpText: $0) }.map { $0.millisecondsSince1970 / 1_000 }
    }

    /// Whether one of the entity tags of a list is ours, or the list is `*`. A list that cannot be read has no more tags from there on.
    private static func matches(_ fields: [String], etag: String, weakly: Bool) -> Bool {
        fields.contains { field in
            if HeaderText.trimmed(field) == "*" { return true }
            var rest = Substring(field)
            while true {
                rest = rest.drop { $0 == " " || $0 == "\t" || $0 == "," }
                let isWeak = rest.hasPrefix("W/")
                if isWeak { rest = rest.dropFirst(2) }
                guard rest.hasPrefix("\""), let end = rest.dropFirst().firstIndex(of: "\"") else { return false }
                let tag = rest[rest.index(after: rest.startIndex)..<end]
                if tag == etag, weakly || !isWeak { return true }
                rest = rest[rest.index(after: end)...]
            }
        }
    }
}
