internal import Core
internal import HTTPEdge
internal import Metadata
internal import NIOCore

/// What a bucket whose objects can be locked says of those that are written without a word of their own ("Object Lock" in the S3 user
/// guide). Kept with the bucket as the document that S3 has for it.
struct ObjectLockConfiguration: Hashable {
    struct Period: Hashable {
        enum Unit: String { case days = "Days", years = "Years" }
        let unit: Unit
        let count: Int

        /// A year has 365 days.
        var days: Int { unit == .days ? count : count * 365 }

        /// A hundred years.
        static let maximumDays = 36_500
    }

    struct DefaultRetention: Hashable {
        let mode: ObjectAttributes.Retention.Mode
        let period: Period
    }

    let defaultRetention: DefaultRetention?

    init(defaultRetention: DefaultRetention?) { self.defaultRetention = defaultRetention }

    /// - Throws: ``S3Error`` `MalformedXML`, `InvalidRetentionPeriod`.
    init(_ element: XMLElement) throws(S3Error) {
        guard element.name == "ObjectLockConfiguration", element.value("ObjectLockEnabled") == "Enabled" else {
            throw S3Error(.malformedXML)
        }
        guard let rule = element["Rule"] else {
            defaultRetention = nil
            return
        }
        guard let retention = rule["DefaultRetention"], let mode = ObjectAttributes.Retention.Mode(rawValue: retention.value("Mode") ?? "")
        else { throw S3Error(.malformedXML) }
        let periods = retention.children.compactMap { child in Period.Unit(rawValue: child.name).map { ($0, child.trimmed) } }
        guard periods.count == 1, let (unit, text) = periods.first, let count = Int(text) else { throw S3Error(.malformedXML) }
        guard count >= 1, count <= Period.maximumDays, case let period = Period(unit: unit, count: count), period.days <= Period.maximumDays
        else { throw S3Error(.invalidRetentionPeriod, "The default retention is from 1 day to \(Period.maximumDays) days") }
        defaultRetention = DefaultRetention(mode: mode, period: period)
    }

    /// As ``init(_:)`` reads it.
    /// - Parameter text: the bucket's document; nil for one that has none.
    init(document text: String?) throws(S3Error) {
        guard let text else {
            self.init(defaultRetention: nil)
            return
        }
        try self.init(XMLElement.parse(ByteBuffer(string: text)))
    }

    var document: ByteBuffer {
        XMLWriter.document("ObjectLockConfiguration") { writer in
            writer.element("ObjectLockEnabled", "Enabled")
            guard let defaultRetention else { return }
            writer.element("Rule") { writer in
                writer.element("DefaultRetention") { writer in
                    writer.element("Mode", defaultRetention.mode.rawValue)
                    writer.element(defaultRetention.period.unit.rawValue, defaultRetention.period.count)
                }
            }
        }
    }

    /// How long what is written at `time` without a retention of its own is kept.
    func retention(at time: Timestamp) -> ObjectAttributes.Retention? {
        defaultRetention.map { .init(mode: $0.mode, until: time.millisecondsSince1970 + Int64($0.period.days) * 86_400_000) }
    }
}
