internal import ChunkStore
public import Core
internal import Foundation
internal import Logging
internal import Metadata
public import Settings

/// Looks at everything that a server needs before it is started, or beside it while it runs, and says what to do about what is wrong.
///
/// Changes nothing: what it writes to try a disk it removes again.
public struct Doctor: Sendable {
    /// Asks the server at an address for the `Date` of its answer over HTTP.
    public typealias DateQuestion = @Sendable (HostPort) async throws -> String

    /// Where storage nodes and distributors have HTTP unless they are told otherwise: there their clocks are asked for.
    private static let usualPorts = (storage: 9101, distributor: 8080)
    /// Segments of a full disk stay open; connections come on top.
    private static let filesBesideSegments = 1_024

    private let time: any TimeSource
    private let date: DateQuestion
    private let executor = ThreadPoolExecutor(threadCount: 2)

    /// - Parameter date: throws when nobody answers there.
    public init(time: any TimeSource, date: @escaping DateQuestion) {
        self.time = time
        self.date = date
    }

    /// What is found when the settings do not even load.
    public static func finding(_ error: SettingsError) -> Finding {
        .problem("configuration", error.description, do: "correct it; --help of the server explains every setting")
    }

    // MARK: Servers

    /// - Parameter httpPeers: servers whose clocks are asked for, instead of those at the usual ports.
    public func examine(_ settings: DistributorSettings, httpPeers: [HostPort] = []) async throws -> [Finding] {
        let lock = MetadataFiles.lock(inDataDirectory: settings.process.dataDirectory)
        let peers = PeerExamination(process: settings.process, time: time)
        let usual = settings.storageNodes.map { HostPort(host: $0.host, port: Self.usualPorts.storage) }
        return configuration(settings.process, reachable: [settings.gateway.cluster])
            + (try await directory(settings.process, locks: [lock], listeners: settings.gateway.listeners, segments: false))
            + (try await peers.storageNodes(settings.storageNodes, joinAt: settings.gateway.cluster))
            + (try await clock(httpPeers.isEmpty ? usual : httpPeers))
    }

    public func examine(_ settings: StorageSettings, httpPeers: [HostPort] = []) async throws -> [Finding] {
        let listeners = [
            Listen(setting: "listen", address: settings.listen, isOptional: false),
            Listen(setting: "http", address: settings.http, isOptional: settings.isHTTPOptional),
        ]
        let peers = PeerExamination(process: settings.process, time: time)
        let usual = settings.join.map { HostPort(host: $0.host, port: Self.usualPorts.distributor) }
        return configuration(settings.process, reachable: [settings.listen])
            + (try await directory(
                settings.process, locks: [ChunkStore.lockPath(inDirectory: settings.process.dataDirectory)], listeners: listeners,
                segments: true))
            + (try await peers.distributor(settings))
            + (try await clock(httpPeers.isEmpty ? [usual].compactMap { $0 } : httpPeers))
    }

    public func examine(_ settings: ServerSettings, httpPeers: [HostPort] = []) async throws -> [Finding] {
        let directories = (1...settings.nodeCount).map { StorageNode.directory($0, inDataDirectory: settings.process.dataDirectory) }
        let locks =
            [MetadataFiles.lock(inDataDirectory: settings.process.dataDirectory)]
            + directories.map { ChunkStore.lockPath(inDirectory: $0) }
        return configuration(settings.process, reachable: [settings.gateway.cluster])
            + (try await directory(settings.process, locks: locks, listeners: settings.gateway.listeners, segments: true))
            + (try await clock(httpPeers))
    }

    // MARK: What is looked at

    private func configuration(_ process: ProcessSettings, reachable: [HostPort]) -> [Finding] {
        let subject = "configuration"
        var findings: [Finding] = []
        if process.clusterSecret == nil, let open = reachable.first(where: { !$0.isLoopback }) {
            findings.append(
                .warning(
                    subject, "there is no cluster secret: whoever reaches \(open) can read and write",
                    do: "set CHUNKFLOW_CLUSTER_SECRET, the same on every server, or keep the port on a network of its own"))
        }
        if process.durability == .none {
            findings.append(
                .warning(
                    subject, "durability is none: what was acknowledged is lost when the machine crashes",
                    do: "leave --durability out, unless that is wanted"))
        }
        return findings.isEmpty ? [.ok(subject, "accepted")] : findings
    }

    /// Directory, ports and files: whether a server runs there already decides what they mean.
    private func directory(_ process: ProcessSettings, locks: [String], listeners: [Listen], segments: Bool) async throws -> [Finding] {
        try await executor.run {
            let isRunning = locks.contains { LockExamination.isHeld($0) }
            let disk = DiskExamination(directory: process.dataDirectory, time: time)
            let space = try? disk.space()
            let files = segments ? (space?.capacityBytes ?? 0) / ChunkStore.Configuration().segmentSize + Self.filesBesideSegments : 0
            return disk.findings(durability: process.durability)
                + [LockExamination.finding(directory: process.dataDirectory, isRunning: isRunning)]
                + listeners.map { PortExamination.finding($0, isServerRunning: isRunning) }
                + [OpenFilesExamination.finding(.ofThisProcess, raises: segments, wanted: max(files, Self.filesBesideSegments))]
        }
    }

    private func clock(_ peers: [HostPort]) async throws -> [Finding] {
        let examination = ClockExamination(time: time, date: date)
        return [ClockExamination.synchronisation()].compactMap { $0 } + (try await examination.findings(peers))
    }
}

/// Where a server listens.
struct Listen: Sendable {
    /// The name of the setting.
    let setting: String
    let address: HostPort
    /// Whether the server does without when it cannot.
    let isOptional: Bool
}

extension GatewaySettings {
    var listeners: [Listen] {
        [
            Listen(setting: "http", address: http, isOptional: false), Listen(setting: "s3", address: s3, isOptional: false),
            Listen(setting: "cluster", address: cluster, isOptional: false),
        ]
    }
}

extension HostPort {
    /// Whether only this machine reaches it.
    var isLoopback: Bool { host == "localhost" || host == "::1" || host.hasPrefix("127.") }
    /// Whether it stands for every address of the machine.
    var isUnspecified: Bool { host == "0.0.0.0" || host == "::" }
}
