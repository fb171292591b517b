public import Core
public import Foundation

/// Everything that `distributor` is told.
public struct DistributorSettings: Hashable, Sendable {
    public let process: ProcessSettings
    public let gateway: GatewaySettings
    /// The storage nodes to start with; none twice, possibly none at all.
    public let storageNodes: [HostPort]

    /// Reads flags, then the environment, then the settings file that one of them names.
    /// - Throws: the first thing that is wrong.
    public static func load(
        flags: DistributorFlags, environment: [String: String] = ProcessInfo.processInfo.environment
    ) throws(SettingsError) -> DistributorSettings {
        let reader = try SettingsReader(executable: .distributor, flags: flags.given, environment: environment)
        return DistributorSettings(
            process: try ProcessSettings(reader), gateway: try GatewaySettings(reader), storageNodes: try storageNodes(reader))
    }

    private static func storageNodes(_ reader: SettingsReader) throws(SettingsError) -> [HostPort] {
        let setting = SettingsTable.storageNodes
        guard let found = try reader.value(of: setting) else { return [] }
        var seen: Set<HostPort> = []
        for address in found.value where !seen.insert(HostPort(host: address.host.lowercased(), port: address.port)).inserted {
            throw SettingsError(setting.description, value: found.text, from: found.origin, because: "\(address) is listed twice")
        }
        return found.value
    }
}
