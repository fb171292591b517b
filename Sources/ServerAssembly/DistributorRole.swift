internal import ChunkTransport
internal import Core
internal import HTTPEdge
internal import Logging
internal import Metadata
internal import ObjectStore
internal import ServiceLifecycle
public import Settings
internal import StorageService

/// `distributor`: REST in front, storage nodes across the network behind.
public enum DistributorRole {
    /// How long a start waits for storage nodes that have never answered.
    private static let patience: Duration = .seconds(30)

    /// Runs the distributor until the process is told to stop.
    public static func run(_ settings: DistributorSettings) async throws {
        let logger = ServerProcess.logger("distributor", settings: settings.process)
        let connections = GRPCPeerDialer(secret: settings.process.clusterSecret?.revealed, time: SystemTime(), logger: logger)
        ServerMetrics.start(role: "distributor")
        let traces = ServerTraces.start(service: "chunkflow-distributor", settings.process, logger: logger)
        let gateway = try await Gateway.open(settings.gateway, process: settings.process, logger: logger)
        do {
            // The connections must run while the nodes are asked for the first time, before the services do.
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask { await connections.run() }
                defer { group.cancelAll() }
                let transport = { @Sendable (address: String) throws -> any ChunkTransport in
                    MeteredTransport(try connections.transport(toAddress: address), address: address, time: SystemTime())
                }
                let seeds = try settings.storageNodes.map {
                    ClusterBootstrap.Seed(address: $0.description, transport: try transport($0.description))
                }
                let store = try await gateway.openStore(
                    seeds: seeds, patience: patience, connect: transport)
                try await gateway.serve(store, takesNodes: true, beside: traces)
                connections.shutDown()
            }
        } catch {
            await gateway.close()
            throw error
        }
        await gateway.close()
    }
}
