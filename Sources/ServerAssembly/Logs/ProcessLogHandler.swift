internal import Core
internal import Logging

/// The log of a server: lines on standard error, all of them as severe as the process's level or more.
struct ProcessLogHandler: LogHandler {
    private let label: String
    private let output: LogOutput
    private let processLevel: SharedLogLevel
    /// Of this logger alone, where somebody has set it.
    private var ownLevel: Logger.Level?

    var metadata: Logger.Metadata = [:]
    var metadataProvider: Logger.MetadataProvider?

    init(label: String, output: LogOutput, level: SharedLogLevel, metadataProvider: Logger.MetadataProvider? = nil) {
        self.label = label
        self.output = output
        processLevel = level
        self.metadataProvider = metadataProvider
    }

    var logLevel: Logger.Level {
        get { ownLevel ?? processLevel.value }
        set { ownLevel = newValue }
    }

    subscript(metadataKey name: String) -> Logger.MetadataValue? {
        get { metadata[name] }
        set { metadata[name] = newValue }
    }

    func log(event: LogEvent) {
        // What is said of the single line counts most.
        var all = metadata
        if let provided = metadataProvider?.get() { all.merge(provided) { _, provided in provided } }
        if let error = event.error { all["error"] = "\(error)" }
        if let given = event.metadata { all.merge(given) { _, given in given } }
        output.append(LogLine(at: SystemTime().now(), label: label, event, metadata: all))
    }
}
