internal import Core
internal import HTTPEdge
internal import Metadata
internal import NIOHTTP1

/// What locks a version of an object: a retention, a legal hold.
enum ObjectLock {
    private static let modeField = "x-amz-object-lock-mode"
    private static let untilField = "x-amz-object-lock-retain-until-date"
    private static let holdField = "x-amz-object-lock-legal-hold"

    static let notLocking = S3Error(.invalidRequest, "Bucket is missing Object Lock Configuration")

    // MARK: The header

    /// Puts what the header of a write asks for into the attributes of what it makes.
    /// - Throws: ``S3Error`` `InvalidRequest` for a bucket whose objects cannot be locked, `InvalidArgument`.
    static func apply(
        _ headers: HTTPHeaders, to attributes: inout ObjectAttributes, in bucket: BucketRecord, at time: Timestamp
    ) throws(S3Error) {
        let mode = headers.first(name: modeField)
        let until = headers.first(name: untilField)
        let hold = headers.first(name: holdField)
        guard mode != nil || until != nil || hold != nil else { return }
        guard bucket.isLocking else { throw notLocking }
        if let hold {
            guard let isOn = isOn(hold) else { throw S3Error(.invalidArgument, "Legal Hold must be either of 'ON' or 'OFF'") }
            attributes.isOnLegalHold = isOn
        }
        guard mode != nil || until != nil else { return }
        guard let mode, let until else {
            throw S3Error(.invalidArgument, "\(untilField) and \(modeField) must both be supplied")
        }
        guard let mode = ObjectAttributes.Retention.Mode(rawValue: mode) else {
            throw S3Error(.invalidArgument, "Unknown wormMode directive.")
        }
        attributes.retention = try retention(mode, until: until, at: time)
    }

    /// Adds what is to be said of a version's locks to the header of an answer.
    static func add(_ attributes: ObjectAttributes, to headers: inout HTTPHeaders) {
        if let retention = attributes.retention {
            headers.add(name: modeField, value: retention.mode.rawValue)
            headers.add(name: untilField, value: retention.untilText)
        }
        if let isOn = attributes.isOnLegalHold { headers.add(name: holdField, value: isOn ? "ON" : "OFF") }
    }

    // MARK: Documents

    /// - Returns: nil for a document that takes a retention away: one without content.
    /// - Throws: ``S3Error`` `MalformedXML`, `InvalidArgument`.
    static func retention(_ element: XMLElement, at time: Timestamp) throws(S3Error) -> ObjectAttributes.Retention? {
        if element.children.isEmpty { return nil }
        guard let mode = ObjectAttributes.Retention.Mode(rawValue: element.value("Mode") ?? ""),
            let until = element.value("RetainUntilDate")
        else { throw S3Error(.malformedXML) }
        return try retention(mode, until: until, at: time)
    }

    /// - Throws: ``S3Error`` `MalformedXML`.
    static func legalHold(_ element: XMLElement) throws(S3Error) -> Bool {
        guard let isOn = isOn(element.value("Status") ?? "") else { throw S3Error(.malformedXML) }
        return isOn
    }

    private static func isOn(_ text: String) -> Bool? {
        switch text {
        case "ON": true
        case "OFF": false
        default: nil
        }
    }

    private static func retention(
        _ mode: ObjectAttributes.Retention.Mode, until text: String, at time: Timestamp
    ) throws(S3Error) -> ObjectAttributes.Retention {
        guard let until = CalendarDate.timestamp(internetText: text) else {
            throw S3Error(.invalidArgument, "The retain until date must be of the form 2026-01-02T03:04:05Z")
        }
        guard until.millisecondsSince1970 > time.millisecondsSince1970 else {
            throw S3Error(.invalidArgument, "The retain until date must be in the future!")
        }
        return .init(mode: mode, until: until.millisecondsSince1970)
    }

    // MARK: Changes

    /// Whether the retention of a version may become another: one that has not run out may be made longer, and no weaker.
    /// - Parameter bypassingGovernance: whether who asks may, and says so.
    static func mayChange(
        _ old: ObjectAttributes.Retention?, to new: ObjectAttributes.Retention?, at time: Timestamp, bypassingGovernance: Bool
    ) -> Bool {
        guard let old, old.until > time.millisecondsSince1970 else { return true }
        if let new, new.mode == old.mode, new.until >= old.until { return true }
        return old.mode == .governance && bypassingGovernance
    }
}

extension ObjectAttributes.Retention {
    /// As S3 writes the moment at which it ends.
    var untilText: String { CalendarDate(Timestamp(millisecondsSince1970: until)).internetText }
}
