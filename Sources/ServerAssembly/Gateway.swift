internal import AdminAPI
internal import ChunkTransport
internal import ClusterService
internal import Core
internal import Foundation
internal import HTTPEdge
internal import Logging
internal import Metadata
internal import ObjectStore
internal import RESTAPI
internal import S3API
internal import ServiceLifecycle
internal import Settings
internal import StorageService

/// What takes clients' requests, in `distributor` and `chunkflow server` alike: metadata, store, HTTP listener, cluster listener.
struct Gateway: Sendable {
    /// Threads for metadata reads and commits.
    private static let metadataThreads = 4

    /// There is one backup at a time.
    private static let backupThreads = 1

    private let settings: GatewaySettings
    private let process: ProcessSettings
    private let metadata: SQLiteMetadataStore
    /// Where the metadata and what belongs to them are.
    private let directory: String
    private let logger: Logger

    /// Opens the metadata under the data directory.
    static func open(_ settings: GatewaySettings, process: ProcessSettings, logger: Logger) async throws -> Gateway {
        let database = MetadataFiles.database(inDataDirectory: process.dataDirectory)
        let directory = MetadataFiles.directory(inDataDirectory: process.dataDirectory)
        do {
            try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
        } catch {
            throw StartError("data-dir: \"\(process.dataDirectory)\" is not accepted; accepted: a directory that can be written to")
        }
        var options = SQLiteMetadataStore.Options()
        options.durability = process.durability
        let metadata: SQLiteMetadataStore
        do {
            metadata = try await SQLiteMetadataStore.open(
                path: database, executor: ThreadPoolExecutor(threadCount: metadataThreads), logger: logger, options: options)
        } catch let error as MetadataError {
            if case .restoreUnfinished = error { throw StartError(MetadataFiles.description(error)) }
            throw error
        }
        return Gateway(settings: settings, process: process, metadata: metadata, directory: directory, logger: logger)
    }

    func openStore(
        seeds: [ClusterBootstrap.Seed], patience: Duration, connect: @escaping @Sendable (String) throws -> any ChunkTransport
    ) async throws -> ObjectStore {
        var configuration = StoreConfiguration()
        configuration.chunkSize = settings.chunkSize
        configuration.replicas = settings.replicas
        configuration.writeQuorum = settings.writeQuorum
        if case .fixed(let storageClass) = settings.storageClass { configuration.storageClass = storageClass }
        configuration.nodeGrace = .seconds(settings.nodeGraceSeconds)
        configuration.rebalanceBytesPerSecond = settings.rebalanceBytesPerSecond
        configuration.lifecycleDay = .seconds(settings.lifecycleDaySeconds)
        configuration.snapshotInterval = settings.metadataSnapshotInterval
        configuration.snapshotsKept = settings.metadataSnapshots
        configuration.snapshotDirectory = temporaryDirectory
        let bootstrap = ClusterBootstrap(
            configuration: configuration, metadata: metadata, time: SystemTime(), random: SystemRandom(), logger: logger, connect: connect)
        let cluster = try await bootstrap.run(seeds: seeds, patience: patience)
        // Hashing gets as many threads as there are cores: it is the one thing here that can use them all.
        let hashing = ThreadPoolExecutor(threadCount: ProcessInfo.processInfo.activeProcessorCount)
        return try await ObjectStore(
            configuration: configuration, cluster: cluster, metadata: metadata, time: SystemTime(), random: SystemRandom(),
            digestExecutor: hashing, logger: logger)
    }

    /// Serves until the process is told to stop.
    /// - Parameters:
    ///   - takesNodes: whether storage nodes can join at the cluster address.
    ///   - services: what else runs as long as this does.
    func serve(_ store: ObjectStore, takesNodes: Bool, beside services: [any Service] = []) async throws {
        let backups = BackupRoutes(
            store, directory: temporaryDirectory, time: SystemTime(), executor: ThreadPoolExecutor(threadCount: Self.backupThreads))
        try backups.removeLeftovers()
        ServerMetrics.observe(store)
        let responder = s3Responder(store)
        let accounts = GatewayRoutes.accounts(store.metadata, rootKey: rootKey, time: SystemTime(), random: SystemRandom())
        let administration =
            GatewayRoutes.administration(
                store, store, backups: backups, metrics: ServerMetrics.registry, logLevel: ServerProcess.logLevelRoutes(logger)
            ).demanding(process.adminToken.map { AdminToken($0.revealed) }) + accounts
        let http = try await listener(
            "http", at: settings.http, api: "rest",
            GatewayRoutes.client(store) + GatewayRoutes.objects(responder.readPublicly) + (settings.admin == nil ? administration : []))
        var admin: HTTPServer?
        if let address = settings.admin {
            do {
                admin = try await listener("admin", at: address, api: "admin", AdminRoutes(store: store).healthRoutes + administration)
            } catch {
                http.beginShutdown()
                throw error
            }
        }
        let s3: HTTPServer
        do {
            s3 = try await s3Listener(responder)
        } catch {
            for server in [admin, http].compactMap({ $0 }) { server.beginShutdown() }
            throw error
        }
        let cluster = clusterServer(takesNodes ? store : nil)
        let announcement = Announcement { [admin] in
            ServerProcess.announce(listener: "http", http.address)
            if let admin { ServerProcess.announce(listener: "admin", admin.address) }
            ServerProcess.announce(listener: "s3", s3.address)
            let clusterAddress = try await ServerProcess.listening("cluster", at: settings.cluster) { try await cluster.boundAddress() }
            ServerProcess.announce(listener: "cluster", clusterAddress)
            ServerProcess.announce("ready")
        }
        let clusterListener = Listener(setting: "cluster", address: settings.cluster, server: cluster)
        // Shut down in reverse: first nobody new is let in, the store's loops go last.
        let servers: [any Service] = [admin, s3, http].compactMap { $0 }
        try await ServerProcess.run(
            services + [StoreLoops(store: store), clusterListener] + servers + [announcement], settings: process, logger: logger)
    }

    private func listener(_ setting: String, at address: HostPort, api: String, _ routes: [Route]) async throws -> HTTPServer {
        var limits = HTTPLimits()
        limits.shutdownTime = process.shutdownTimeout
        return try await ServerProcess.listening(setting, at: address) { [limits] in
            try await HTTPServer.bind(
                to: address, api: api, responder: Router(routes: routes, problem: storeProblem), limits: limits, logger: logger)
        }
    }

    private func s3Responder(_ store: ObjectStore) -> S3Responder {
        var s3 = S3Settings()
        s3.region = settings.s3Region
        s3.domains = settings.s3Domains
        s3.rootKey = rootKey
        s3.encryption = encryptionKeys
        return S3Responder(store: store, settings: s3, time: SystemTime(), random: SystemRandom(), logger: logger)
    }

    private func s3Listener(_ responder: S3Responder) async throws -> HTTPServer {
        var limits = HTTPLimits()
        limits.shutdownTime = process.shutdownTimeout
        // S3 takes no notice of them.
        limits.refusesUnknownExpectations = false
        return try await ServerProcess.listening("s3", at: settings.s3) { [limits] in
            try await HTTPServer.bind(to: settings.s3, api: "s3", responder: responder, limits: limits, logger: logger)
        }
    }

    private var rootKey: (accessKey: String, secretKey: String)? {
        settings.rootKey.map { ($0.accessKey, $0.secretKey.revealed) }
    }

    private var encryptionKeys: EncryptionKeys {
        let keys = settings.encryptionKeys.compactMapValues { Data(base64Encoded: $0.revealed).map { Array($0) } }
        return EncryptionKeys(keys: keys, masterKeyPath: "\(directory)/sse-s3.key")
    }

    private func clusterServer(_ administration: (any ClusterAdministration)?) -> ClusterServer {
        let secret = process.clusterSecret?.revealed
        guard let administration else { return .health(listen: settings.cluster, secret: secret, logger: logger) }
        return .membership(administration, listen: settings.cluster, secret: secret, logger: logger)
    }

    /// For copies of the metadata, while they are made and sent. Emptied at the start, before the store's loops begin.
    private var temporaryDirectory: String { "\(directory)/tmp" }

    func close() async { await metadata.close() }
}

/// The store's background loops as a service.
private struct StoreLoops: Service {
    let store: ObjectStore

    func run() async throws { await cancelWhenGracefulShutdown { await store.run() } }
}
