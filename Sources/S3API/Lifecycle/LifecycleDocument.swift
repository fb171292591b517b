internal import Core
internal import HTTPEdge
internal import Metadata
internal import NIOCore
internal import ObjectStore

/// The document `LifecycleConfiguration`, as clients write and read it ("PutBucketLifecycleConfiguration" in the S3 API reference).
enum LifecycleDocument {
    static let maximumRules = 1_000
    private static let maximumIDLength = 255
    private static let maximumKept = 100
    private static let dayMilliseconds: Int64 = 86_400_000

    /// - Parameter freshID: for a rule that has no name.
    /// - Throws: ``S3Error`` `MalformedXML`, `InvalidArgument`, `InvalidRequest`; `NotImplemented` for transitions.
    static func parse(_ element: XMLElement, freshID: () -> String) throws(S3Error) -> LifecycleConfiguration {
        let elements = element.all("Rule")
        guard element.name == "LifecycleConfiguration", (1...maximumRules).contains(elements.count) else { throw S3Error(.malformedXML) }
        var rules: [LifecycleRule] = []
        for element in elements { rules.append(try rule(element, freshID: freshID)) }
        guard Set(rules.map(\.id)).count == rules.count else {
            throw S3Error(.invalidArgument, "Rule ID must be unique. Found same ID for more than one rule")
        }
        return LifecycleConfiguration(rules: rules)
    }

    private static func rule(_ element: XMLElement, freshID: () -> String) throws(S3Error) -> LifecycleRule {
        var id = element["ID"]?.text ?? ""
        if id.isEmpty { id = freshID() }
        guard id.unicodeScalars.count <= maximumIDLength else {
            throw S3Error(.invalidArgument, "ID length should not exceed allowed limit of \(maximumIDLength)")
        }
        guard let status = element.value("Status"), status == "Enabled" || status == "Disabled" else { throw S3Error(.malformedXML) }
        let scope = try scope(element)
        let (expiration, removesLoneMarkers) = try expiration(element)
        let noncurrent = try noncurrentExpiration(element)
        var aborts: Int?
        if let abort = element["AbortIncompleteMultipartUpload"] { aborts = try days(abort, "DaysAfterInitiation") }
        try refuseTransitions(element)
        guard expiration != nil || removesLoneMarkers != nil || noncurrent != nil || aborts != nil else {
            throw S3Error(.invalidRequest, "At least one action needs to be specified in a rule")
        }
        if !scope.tags.isEmpty {
            if aborts != nil { throw S3Error(.invalidRequest, "AbortIncompleteMultipartUpload cannot be specified with Tags") }
            if removesLoneMarkers != nil { throw S3Error(.invalidRequest, "ExpiredObjectDeleteMarker cannot be specified with Tags") }
        }
        return LifecycleRule(
            id: id, isEnabled: status == "Enabled", scope: scope, expiration: expiration, removesLoneMarkers: removesLoneMarkers,
            noncurrentExpiration: noncurrent, abortsUploadsAfter: aborts)
    }

    // MARK: What a rule is about

    private static func scope(_ rule: XMLElement) throws(S3Error) -> LifecycleRule.Scope {
        if let prefix = rule["Prefix"] {
            guard rule["Filter"] == nil else { throw S3Error(.malformedXML) }
            return .init(form: .rulePrefix, prefix: prefix.text)
        }
        guard let filter = rule["Filter"] else { throw S3Error(.malformedXML) }
        // Conditions beside each other, and beside an And, count as if they stood in one: AWS refuses them, others take them so.
        let conditions = filter.children.filter { $0.name != "And" } + (filter["And"]?.children ?? [])
        var prefix: String?
        var tags: [ObjectAttributes.Tag] = []
        var sizes: [String: Int64] = [:]
        for condition in conditions {
            switch condition.name {
            case "Prefix": prefix = condition.text
            case "Tag":
                guard let key = condition["Key"]?.text, !key.isEmpty, let value = condition["Value"]?.text else {
                    throw S3Error(.malformedXML)
                }
                tags.append(.init(key: key, value: value))
            case "ObjectSizeGreaterThan", "ObjectSizeLessThan":
                guard let size = Int64(condition.trimmed), size >= 0 else {
                    throw S3Error(.invalidArgument, "\(condition.name) must be a number of bytes")
                }
                sizes[condition.name] = size
            default: throw S3Error(.malformedXML)
            }
        }
        guard Set(tags.map(\.key)).count == tags.count else { throw S3Error(.invalidRequest, "Duplicate Tag Keys are not allowed.") }
        let (greater, less) = (sizes["ObjectSizeGreaterThan"], sizes["ObjectSizeLessThan"])
        if let greater, let less, greater >= less {
            throw S3Error(.invalidRequest, "ObjectSizeLessThan has to be a value greater than ObjectSizeGreaterThan")
        }
        let isTogether = filter["And"] != nil || conditions.count > 1
        return .init(form: isTogether ? .and : .filter, prefix: prefix, tags: tags, sizeGreaterThan: greater, sizeLessThan: less)
    }

    // MARK: What a rule does

    private static func expiration(_ rule: XMLElement) throws(S3Error) -> (LifecycleRule.Expiration?, removesLoneMarkers: Bool?) {
        guard let element = rule["Expiration"] else { return (nil, nil) }
        guard element.children.count == 1 else { throw S3Error(.malformedXML) }
        if element["Days"] != nil { return (.days(try days(element, "Days")), nil) }
        if let text = element.value("Date") { return (.date(try midnight(text)), nil) }
        switch element.value("ExpiredObjectDeleteMarker") {
        case "true": return (nil, true)
        case "false": return (nil, false)
        default: throw S3Error(.malformedXML)
        }
    }

    private static func noncurrentExpiration(_ rule: XMLElement) throws(S3Error) -> LifecycleRule.NoncurrentExpiration? {
        guard let element = rule["NoncurrentVersionExpiration"] else { return nil }
        let days = try days(element, "NoncurrentDays")
        guard let text = element.value("NewerNoncurrentVersions") else { return .init(days: days) }
        guard let kept = Int(text) else { throw S3Error(.malformedXML) }
        guard (1...maximumKept).contains(kept) else {
            throw S3Error(.invalidArgument, "NewerNoncurrentVersions must be from 1 to \(maximumKept)")
        }
        return .init(days: days, kept: kept)
    }

    /// Checked, where they are written wrongly, and refused: objects do not change how they are kept by themselves.
    private static func refuseTransitions(_ rule: XMLElement) throws(S3Error) {
        let transitions = rule.all("Transition") + rule.all("NoncurrentVersionTransition")
        for transition in transitions {
            if let text = transition.value("Date") { _ = try midnight(text) }
        }
        if !transitions.isEmpty { throw S3Error(.notImplemented, "Transitions to other storage classes are not implemented") }
    }

    private static func days(_ element: XMLElement, _ name: String) throws(S3Error) -> Int {
        guard let text = element.value(name), let days = Int(text) else { throw S3Error(.malformedXML) }
        guard (1...Int(Int32.max)).contains(days) else { throw S3Error(.invalidArgument, "'\(name)' must be a positive integer") }
        return days
    }

    /// - Returns: milliseconds since 1970.
    private static func midnight(_ text: String) throws(S3Error) -> Int64 {
        guard let date = CalendarDate.timestamp(internetText: text) else { throw S3Error(.malformedXML) }
        guard date.millisecondsSince1970.isMultiple(of: dayMilliseconds) else {
            throw S3Error(.invalidArgument, "'Date' must be at midnight GMT")
        }
        return date.millisecondsSince1970
    }

    // MARK: Writing

    static func write(_ configuration: LifecycleConfiguration) -> ByteBuffer {
        XMLWriter.document("LifecycleConfiguration") { writer in
            for rule in configuration.rules { writer.element("Rule") { write(rule, to: $0) } }
        }
    }

    private static func write(_ rule: LifecycleRule, to writer: borrowing XMLWriter) {
        writer.element("ID", rule.id)
        let scope = rule.scope
        switch scope.form {
        case .rulePrefix: writer.element("Prefix", scope.prefix ?? "")
        case .filter: writer.element("Filter") { writeConditions(of: scope, to: $0) }
        case .and: writer.element("Filter") { writer in writer.element("And") { writeConditions(of: scope, to: $0) } }
        }
        writer.element("Status", rule.isEnabled ? "Enabled" : "Disabled")
        if rule.expiration != nil || rule.removesLoneMarkers != nil {
            writer.element("Expiration") { writer in
                switch rule.expiration {
                case .days(let days): writer.element("Days", days)
                case .date(let date): writer.element("Date", CalendarDate(Timestamp(millisecondsSince1970: date)).internetText)
                case nil: break
                }
                if let removes = rule.removesLoneMarkers { writer.element("ExpiredObjectDeleteMarker", removes) }
            }
        }
        if let noncurrent = rule.noncurrentExpiration {
            writer.element("NoncurrentVersionExpiration") { writer in
                writer.element("NoncurrentDays", noncurrent.days)
                if let kept = noncurrent.kept { writer.element("NewerNoncurrentVersions", kept) }
            }
        }
        if let days = rule.abortsUploadsAfter {
            writer.element("AbortIncompleteMultipartUpload") { $0.element("DaysAfterInitiation", days) }
        }
    }

    private static func writeConditions(of scope: LifecycleRule.Scope, to writer: borrowing XMLWriter) {
        writer.optional("Prefix", scope.prefix)
        for tag in scope.tags {
            writer.element("Tag") { writer in
                writer.element("Key", tag.key)
                writer.element("Value", tag.value)
            }
        }
        if let size = scope.sizeGreaterThan { writer.element("ObjectSizeGreaterThan", size) }
        if let size = scope.sizeLessThan { writer.element("ObjectSizeLessThan", size) }
    }
}
