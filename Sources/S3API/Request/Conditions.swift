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
    /// - Throws: ``S3Error`` `InvalidArgument` for one that cannot be read: without it something else would be done.
    static func ofWrite(_ headers: HTTPHeaders) throws(S3Error) -> WriteCondition {
        WriteCondition(
            ifMatch: headers.first(name: "if-match").map(match), ifNoneMatch: headers.first(name: "if-none-match").map(match),
            byteCount: try size(headers.first(name: "x-amz-if-match-size")),
            createdAt: try time(headers.first(name: "x-amz-if-match-last-modified-time")))
    }

    /// Of one object of a DeleteObjects.
    /// - Throws: as ``ofWrite(_:)``.
    static func ofDeletion(_ object: XMLElement) throws(S3Error) -> WriteCondition {
        WriteCondition(
            ifMatch: object.value("ETag").map(match), byteCount: try size(object.value("Size")),
            createdAt: try time(object.value("LastModifiedTime")))
    }

    private static func size(_ text: String?) throws(S3Error) -> Int64? {
        guard let text else { return nil }
        guard let size = Int64(text) else { throw S3Error(.invalidArgument, "The size of a condition must be a number of bytes") }
        return size
    }

    private static func time(_ text: String?) throws(S3Error) -> Timestamp? {
        guard let text else { return nil }
        guard let time = CalendarDate.timestamp(httpText: text) ?? CalendarDate.timestamp(internetText: text) else {
            throw S3Error(.invalidArgument, "The time of a condition must be a date")
        }
        return time
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
