public import Foundation

/// Everything that `chunkflow server` is told: a distributor and its storage nodes in one process.
public struct ServerSettings: Hashable, Sendable {
    public let process: ProcessSettings
    public let gateway: GatewaySettings
    /// Storage nodes in the process, 1...64.
    public let nodeCount: Int
    /// How long re-reading everything may take; nil for never.
    public let scrubPeriod: Duration?

    /// Reads flags, then the environment, then the settings file that one of them names.
    /// - Throws: the first thing that is wrong.
    public static func load(
        flags: ServerFlags, environment: [String: String] = ProcessInfo.processInfo.environment
    ) throws(SettingsError) -> ServerSettings {
        let reader = try SettingsReader(executable: .server, flags: flags.given, environment: environment)
        return ServerSettings(
            process: try ProcessSettings(reader), gateway: try GatewaySettings(reader),
            nodeCount: try reader.required(SettingsTable.nodes), scrubPeriod: try reader.scrubPeriod())
    }
}
