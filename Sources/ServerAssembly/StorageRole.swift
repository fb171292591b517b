internal import ChunkStore
internal import ChunkTransport
internal import Core
internal import Logging
internal import ServiceLifecycle
public import Settings
internal import StorageService

/// `storage`: one storage node behind gRPC.
public enum StorageRole {
    /// A whole piece: a node of its own is read from by many at once, so that its threads have other work than to wait for each other; and
    /// what a thread has just read it sends at less cost than another.
    private static let inlineReadLimit = Piece.maximumSize

    /// Runs the node until the process is told to stop.
    public static func run(_ settings: StorageSettings) async throws {
        let logger = ServerProcess.logger("storage", settings: settings.process)
        ServerMetrics.start(role: "storage")
        let traces = ServerTraces.start(service: "chunkflow-storage", settings.process, logger: logger)
        let peers = GRPCPeerDialer(secret: settings.process.clusterSecret?.revealed, time: SystemTime(), logger: logger)
        let node = try await StorageNode.open(
            directory: settings.process.dataDirectory, zone: settings.zone ?? "", scrubPeriod: settings.scrubPeriod,
            durability: settings.process.durability, inlineReadLimit: Self.inlineReadLimit, peers: MeteredPeers(peers, time: SystemTime()),
            logger: logger)
        let server = ClusterServer(
            node: node.transport, listen: settings.listen, secret: settings.process.clusterSecret?.revealed,
            shutdownTimeout: settings.process.shutdownTimeout, logger: logger)
        let boundAddress: @Sendable () async throws -> HostPort = {
            try await ServerProcess.listening("listen", at: settings.listen) { try await server.boundAddress() }
        }
        let http: NodeHTTPListener?
        do {
            http = try await NodeHTTPListener.bind(settings, logger: logger)
        } catch {
            await node.close()
            throw error
        }
        let announcement = Announcement {
            if let http { ServerProcess.announce(listener: "http", http.address) }
            ServerProcess.announce(listener: "grpc", try await boundAddress())
            http?.noteReady()
            ServerProcess.announce("ready")
        }
        do {
            let joining = try settings.join.map { distributor in
                let client = try MembershipClient(
                    distributor: distributor, secret: settings.process.clusterSecret?.revealed, time: SystemTime())
                return JoinLoop(
                    client: client, node: node.transport.id, instance: node.transport.instance,
                    address: {
                        // Listening comes first: the distributor calls back.
                        let bound = try await boundAddress()
                        return settings.advertise ?? bound
                    }, time: SystemTime(), logger: logger)
            }
            let listener = Listener(setting: "listen", address: settings.listen, server: server)
            let services: [any Service] = traces + [peers] + node.services + [listener] + [http?.service].compactMap { $0 } + [announcement]
            try await ServerProcess.run(services + [joining].compactMap { $0 }, settings: settings.process, logger: logger)
        } catch {
            await node.close()
            throw error
        }
        await node.close()
    }
}

/// Why a server did not start, other than a setting of the wrong form.
struct StartError: Error, CustomStringConvertible {
    let description: String
    init(_ description: String) { self.description = description }
}

/// A gRPC server whose failure to listen names the setting.
struct Listener: Service {
    let setting: String
    let address: HostPort
    let server: ClusterServer

    func run() async throws { try await ServerProcess.listening(setting, at: address) { try await server.run() } }
}

/// Says where the servers listen as soon as they do, and then waits for the end.
struct Announcement: Service {
    let announce: @Sendable () async throws -> Void

    func run() async throws {
        do {
            try await cancelWhenGracefulShutdown {
                try await announce()
                while true { try await Task.sleep(for: .seconds(3600)) }
            }
        } catch is CancellationError {}
    }
}
