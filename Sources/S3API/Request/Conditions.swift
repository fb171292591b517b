internal import Core
internal import HTTPEdge
internal import Metadata
internal import NIOHTTP1

/// The conditions of a request (RFC 9110 13), as S3 has them: entity tags with or without quotation marks.
enum Conditions {
    enum Outcome: Equatable {
        case proceed
        case notModified
        case failed
    }

    /// Of a read.
    /// - Parameter prefix: `x-amz-copy-source-` for the source of a copy, which fails where a read would not be modified.
    static func evaluate(_ headers: HTTPHeaders, for object: ObjectRecord, prefix: String = "") -> Outcome {
        // Whole seconds, as HTTP dates have no more.
        let modified = object.createdAt.millisecondsSince1970 / 1_000
        if let field = headers.first(name: prefix + "if-match") {
            if !matches(field, object.etag) { return .failed }
        } else if let date = seconds(headers.first(name: prefix + "if-unmodified-since")), modified > date {
            return .failed
        }
        if let field = headers.first(name: prefix + "if-none-match") {
            if matches(field, object.etag) { return .notModified }
        } else if let date = seconds(headers.first(name: prefix + "if-modified-since")), modified <= date {
            return .notModified
        }
        return .proceed
    }

    /// Of a write, or a deletion: looked at when it is committed.
    static func ofWrite(_ headers: HTTPHeaders) -> WriteCondition {
        WriteCondition(
            ifMatch: headers.first(name: "if-match").map(match), ifNoneMatch: headers.first(name: "if-none-match").map(match),
            byteCount: headers.first(name: "x-amz-if-match-size").flatMap { Int64($0) },
            createdAt: headers.first(name: "x-amz-if-match-last-modified-time").flatMap { CalendarDate.timestamp(httpText: $0) })
    }

    static func match(_ field: String) -> WriteCondition.Match {
        let tags = self.tags(field)
        return tags == ["*"] ? .any : .etags(tags)
    }

    private static func matches(_ field: String, _ etag: String) -> Bool {
        let tags = self.tags(field)
        return tags == ["*"] || tags.contains(etag)
    }

    private static func tags(_ field: String) -> [String] {
        field.split(separator: ",").map { tag in
            var tag = String(tag).trimmingBlanks()[...]
            if tag.hasPrefix("W/") { tag = tag.dropFirst(2) }
            if tag.count >= 2, tag.hasPrefix("\""), tag.hasSuffix("\"") { tag = tag.dropFirst().dropLast() }
            return String(tag)
        }
    }

    private static func seconds(_ text: String?) -> Int64? {
        text.flatMap { CalendarDate.timestamp(httpText: $0) }.map { $0.millisecondsSince1970 / 1_000 }
    }
}
