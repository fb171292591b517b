/// What the doctor found out about one thing.
public struct Finding: Hashable, Sendable {
    public enum Severity: String, Hashable, Sendable {
        case ok
        /// It works, and may not go on to.
        case warning
        /// The server does not start with it, or does not do what it should.
        case problem
    }

    public let severity: Severity
    /// What was looked at: `disk`, `port http`, `peer storage1:9001`.
    public let subject: String
    public let detail: String
    /// What to do about it; nil when nothing needs to be done.
    public let advice: String?

    static func ok(_ subject: String, _ detail: String) -> Finding {
        Finding(severity: .ok, subject: subject, detail: detail, advice: nil)
    }

    static func warning(_ subject: String, _ detail: String, do advice: String) -> Finding {
        Finding(severity: .warning, subject: subject, detail: detail, advice: advice)
    }

    static func problem(_ subject: String, _ detail: String, do advice: String) -> Finding {
        Finding(severity: .problem, subject: subject, detail: detail, advice: advice)
    }
}
