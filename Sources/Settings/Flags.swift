public import ArgumentParser
internal import Core

/// The flags of every server.
public struct CommonFlags: ParsableArguments, Sendable {
    @Option(name: SettingsTable.config.flag, help: SettingsTable.config.help(), completion: .file(extensions: ["yaml", "yml"])) var config:
        String?
    @Option(name: SettingsTable.dataDirectory.flag, help: SettingsTable.dataDirectory.help(), completion: .directory) var dataDirectory:
        String?
    @Option(
        name: SettingsTable.durability.flag, help: SettingsTable.durability.help(), completion: .list(Durability.allCases.map(\.rawValue)))
    var durability: String?
    @Option(name: SettingsTable.clusterSecret.flag, help: SettingsTable.clusterSecret.help()) var clusterSecret: String?
    @Option(name: SettingsTable.adminToken.flag, help: SettingsTable.adminToken.help()) var adminToken: String?
    @Option(name: SettingsTable.logLevel.flag, help: SettingsTable.logLevel.help(), completion: .list(LogLevel.allCases.map(\.rawValue)))
    var logLevel: String?
    @Option(name: SettingsTable.logFormat.flag, help: SettingsTable.logFormat.help()) var logFormat: String?
    @Option(name: SettingsTable.otlpEndpoint.flag, help: SettingsTable.otlpEndpoint.help()) var otlpEndpoint: String?
    @Option(name: SettingsTable.traceSample.flag, help: SettingsTable.traceSample.help()) var traceSample: String?
    @Option(name: SettingsTable.shutdownTimeout.flag, help: SettingsTable.shutdownTimeout.help()) var shutdownTimeout: String?

    public init() {}

    var given: [String: String?] {
        [
            SettingsTable.config.description.name: config,
            SettingsTable.dataDirectory.description.name: dataDirectory,
            SettingsTable.durability.description.name: durability,
            SettingsTable.clusterSecret.description.name: clusterSecret,
            SettingsTable.adminToken.description.name: adminToken,
            SettingsTable.logLevel.description.name: logLevel,
            SettingsTable.logFormat.description.name: logFormat,
            SettingsTable.otlpEndpoint.description.name: otlpEndpoint,
            SettingsTable.traceSample.description.name: traceSample,
            SettingsTable.shutdownTimeout.description.name: shutdownTimeout,
        ]
    }
}

/// The flags of the servers that take clients' requests.
public struct GatewayFlags: ParsableArguments, Sendable {
    @Option(name: SettingsTable.http.flag, help: SettingsTable.http.help(for: .distributor)) var http: String?
    @Option(name: SettingsTable.admin.flag, help: SettingsTable.admin.help()) var admin: String?
    @Option(name: SettingsTable.s3.flag, help: SettingsTable.s3.help()) var s3: String?
    @Option(name: SettingsTable.cluster.flag, help: SettingsTable.cluster.help()) var cluster: String?
    @Option(name: SettingsTable.chunkSize.flag, help: SettingsTable.chunkSize.help()) var chunkSize: String?
    @Option(name: SettingsTable.nodeGrace.flag, help: SettingsTable.nodeGrace.help()) var nodeGrace: String?
    @Option(name: SettingsTable.rebalanceRate.flag, help: SettingsTable.rebalanceRate.help()) var rebalanceRate: String?
    @Option(name: SettingsTable.metadataSnapshotInterval.flag, help: SettingsTable.metadataSnapshotInterval.help())
    var metadataSnapshotInterval: String?
    @Option(name: SettingsTable.metadataSnapshots.flag, help: SettingsTable.metadataSnapshots.help()) var metadataSnapshots: String?
    @Option(name: SettingsTable.rootAccessKey.flag, help: SettingsTable.rootAccessKey.help()) var rootAccessKey: String?
    @Option(name: SettingsTable.rootSecretKey.flag, help: SettingsTable.rootSecretKey.help()) var rootSecretKey: String?
    @Option(name: SettingsTable.s3Domain.flag, help: SettingsTable.s3Domain.help()) var s3Domain: String?
    @Option(name: SettingsTable.s3Region.flag, help: SettingsTable.s3Region.help()) var s3Region: String?
    @Option(name: SettingsTable.kmsKeysFile.flag, help: SettingsTable.kmsKeysFile.help(), completion: .file()) var kmsKeysFile: String?
    @Option(name: SettingsTable.lifecycleDay.flag, help: SettingsTable.lifecycleDay.help()) var lifecycleDay: String?

    public init() {}

    var given: [String: String?] {
        [
            SettingsTable.http.description.name: http,
            SettingsTable.admin.description.name: admin,
            SettingsTable.s3.description.name: s3,
            SettingsTable.cluster.description.name: cluster,
            SettingsTable.chunkSize.description.name: chunkSize,
            SettingsTable.nodeGrace.description.name: nodeGrace,
            SettingsTable.rebalanceRate.description.name: rebalanceRate,
            SettingsTable.metadataSnapshotInterval.description.name: metadataSnapshotInterval,
            SettingsTable.metadataSnapshots.description.name: metadataSnapshots,
            SettingsTable.rootAccessKey.description.name: rootAccessKey,
            SettingsTable.rootSecretKey.description.name: rootSecretKey,
            SettingsTable.s3Domain.description.name: s3Domain,
            SettingsTable.s3Region.description.name: s3Region,
            SettingsTable.kmsKeysFile.description.name: kmsKeysFile,
            SettingsTable.lifecycleDay.description.name: lifecycleDay,
        ]
    }
}

/// What is offered for a storage class while one types: the usual ones.
private let storageClasses = CompletionKind.list(["auto", "replicated", "replicated-2", "replicated-3", "ec-4-2", "ec-8-3"])

/// The flags of `distributor`: an `@OptionGroup` of its command.
public struct DistributorFlags: ParsableArguments, Sendable {
    @OptionGroup(title: "Gateway") var gateway: GatewayFlags
    @Option(name: SettingsTable.storageNodes.flag, help: SettingsTable.storageNodes.help()) var storageNodes: String?
    @Option(name: SettingsTable.replicas.flag, help: SettingsTable.replicas.help(for: .distributor)) var replicas: String?
    @Option(name: SettingsTable.writeQuorum.flag, help: SettingsTable.writeQuorum.help()) var writeQuorum: String?
    @Option(name: SettingsTable.storageClass.flag, help: SettingsTable.storageClass.help(), completion: storageClasses) var storageClass:
        String?
    @OptionGroup(title: "Process") var common: CommonFlags

    public init() {}

    var given: [String: String] {
        var all = gateway.given.merging(common.given) { first, _ in first }
        all[SettingsTable.storageNodes.description.name] = storageNodes
        all[SettingsTable.replicas.description.name] = replicas
        all[SettingsTable.writeQuorum.description.name] = writeQuorum
        all[SettingsTable.storageClass.description.name] = storageClass
        return all.compactMapValues { $0 }
    }
}

/// The flags of `chunkflow server`: an `@OptionGroup` of its command.
public struct ServerFlags: ParsableArguments, Sendable {
    @OptionGroup(title: "Gateway") var gateway: GatewayFlags
    @Option(name: SettingsTable.nodes.flag, help: SettingsTable.nodes.help()) var nodes: String?
    @Option(name: SettingsTable.replicas.flag, help: SettingsTable.replicas.help(for: .server)) var replicas: String?
    @Option(name: SettingsTable.writeQuorum.flag, help: SettingsTable.writeQuorum.help()) var writeQuorum: String?
    @Option(name: SettingsTable.storageClass.flag, help: SettingsTable.storageClass.help(), completion: storageClasses) var storageClass:
        String?
    @Option(name: SettingsTable.scrubPeriod.flag, help: SettingsTable.scrubPeriod.help()) var scrubPeriod: String?
    @OptionGroup(title: "Process") var common: CommonFlags

    public init() {}

    var given: [String: String] {
        var all = gateway.given.merging(common.given) { first, _ in first }
        all[SettingsTable.scrubPeriod.description.name] = scrubPeriod
        all[SettingsTable.nodes.description.name] = nodes
        all[SettingsTable.replicas.description.name] = replicas
        all[SettingsTable.writeQuorum.description.name] = writeQuorum
        all[SettingsTable.storageClass.description.name] = storageClass
        return all.compactMapValues { $0 }
    }
}

/// The flags of `storage`: an `@OptionGroup` of its command.
public struct StorageFlags: ParsableArguments, Sendable {
    @Option(name: SettingsTable.http.flag, help: SettingsTable.http.help(for: .storage)) var http: String?
    @Option(name: SettingsTable.listen.flag, help: SettingsTable.listen.help()) var listen: String?
    @Option(name: SettingsTable.advertise.flag, help: SettingsTable.advertise.help()) var advertise: String?
    @Option(name: SettingsTable.join.flag, help: SettingsTable.join.help()) var join: String?
    @Option(name: SettingsTable.zone.flag, help: SettingsTable.zone.help()) var zone: String?
    @Option(name: SettingsTable.scrubPeriod.flag, help: SettingsTable.scrubPeriod.help()) var scrubPeriod: String?
    @OptionGroup(title: "Process") var common: CommonFlags

    public init() {}

    var given: [String: String] {
        var all = common.given
        all[SettingsTable.http.description.name] = http
        all[SettingsTable.listen.description.name] = listen
        all[SettingsTable.advertise.description.name] = advertise
        all[SettingsTable.join.description.name] = join
        all[SettingsTable.zone.description.name] = zone
        all[SettingsTable.scrubPeriod.description.name] = scrubPeriod
        return all.compactMapValues { $0 }
    }
}
