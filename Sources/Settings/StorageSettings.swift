public import Core
public import Foundation

/// Everything that `storage` is told.
public struct StorageSettings: Hashable, Sendable {
    public let process: ProcessSettings
    /// Where the node's gRPC service listens.
    public let listen: HostPort
    /// Where the node tells its metrics and its health.
    public let http: HostPort
    /// Whether nobody asked for ``http``: then the node does without when the address is taken.
    public let isHTTPOptional: Bool
    /// Under which address other servers reach it; nil for ``listen``.
    public let advertise: HostPort?
    /// Cluster address of the distributor to join; nil when distributors are told of the node.
    public let join: HostPort?
    /// Failure domain; nil for none.
    public let zone: String?
    /// How long re-reading everything may take; nil for never.
    public let scrubPeriod: Duration?

    /// Reads flags, then the environment, then the settings file that one of them names.
    /// - Throws: the first thing that is wrong.
    public static func load(
        flags: StorageFlags, environment: [String: String] = ProcessInfo.processInfo.environment
    ) throws(SettingsError) -> StorageSettings {
        let reader = try SettingsReader(executable: .storage, flags: flags.given, environment: environment)
        let http = try reader.required(SettingsTable.http)
        let isHTTPOptional = try reader.value(of: SettingsTable.http)?.origin == .defaultValue
        return StorageSettings(
            process: try ProcessSettings(reader), listen: try reader.required(SettingsTable.listen), http: http,
            isHTTPOptional: isHTTPOptional,
            advertise: try reader.optional(SettingsTable.advertise), join: try reader.optional(SettingsTable.join),
            zone: try reader.optional(SettingsTable.zone), scrubPeriod: try reader.scrubPeriod())
    }
}
