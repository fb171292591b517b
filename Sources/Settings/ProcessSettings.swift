public import Core

/// What every server is told.
public struct ProcessSettings: Hashable, Sendable {
    /// Path of the directory for all data of the process; relative ones start at the working directory.
    public let dataDirectory: String
    public let durability: Durability
    /// Shown and demanded on every call between servers; nil for none.
    public let clusterSecret: Secret?
    /// Demanded by metrics and administration; nil for none.
    public let adminToken: Secret?
    public let logLevel: LogLevel
    public let logFormat: LogFormat
    /// Where traces are sent, a URL; nil for nowhere.
    public let otlpEndpoint: String?
    /// What part of the traces that begin here is kept, 0...1.
    public let traceSampleRatio: Double
    /// How long requests in flight may take to finish once the process was told to stop.
    public let shutdownTimeout: Duration

    init(_ reader: SettingsReader) throws(SettingsError) {
        dataDirectory = try reader.required(SettingsTable.dataDirectory)
        durability = try reader.required(SettingsTable.durability)
        clusterSecret = try reader.optional(SettingsTable.clusterSecret)
        adminToken = try reader.optional(SettingsTable.adminToken)
        logLevel = try reader.required(SettingsTable.logLevel)
        logFormat = try reader.required(SettingsTable.logFormat)
        otlpEndpoint = try Self.otlpEndpoint(reader)
        traceSampleRatio = try reader.required(SettingsTable.traceSample)
        shutdownTimeout = .seconds(try reader.required(SettingsTable.shutdownTimeout))
    }

    private static func otlpEndpoint(_ reader: SettingsReader) throws(SettingsError) -> String? {
        guard let found = try reader.value(of: SettingsTable.otlpEndpoint) else { return nil }
        guard found.origin == .sharedEnvironment else { return found.value }
        // The common variable names what is below the paths of all signals (OpenTelemetry, "Endpoint URLs for OTLP/HTTP").
        return String(found.value.reversed().drop { $0 == "/" }.reversed()) + "/v1/traces"
    }
}
