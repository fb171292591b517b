/// The form of log lines.
public enum LogFormat: String, Sendable, CaseIterable {
    /// Text for a terminal, JSON for everything else.
    case auto
    /// One JSON object a line.
    case json
    case text
}
