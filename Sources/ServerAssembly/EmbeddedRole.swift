internal import ChunkTransport
internal import Core
internal import Logging
internal import ObjectStore
public import Settings

/// `chunkflow server`: a distributor and its storage nodes in one process, without a network between them.
public enum EmbeddedRole {
    /// Runs the server until the process is told to stop.
    public static func run(_ settings: ServerSettings) async throws {
        let logger = ServerProcess.logger("chunkflow", settings: settings.process)
        ServerMetrics.start(role: "server")
        let traces = ServerTraces.start(service: "chunkflow-server", settings.process, logger: logger)
        let gateway = try await Gateway.open(settings.gateway, process: settings.process, logger: logger)
        var nodes: [StorageNode] = []
        do {
            let book = LocalPeers()
            for number in 1...settings.nodeCount {
                let node = try await StorageNode.open(
                    directory: StorageNode.directory(number, inDataDirectory: settings.process.dataDirectory), zone: "",
                    scrubPeriod: settings.scrubPeriod, nodesOnDisk: settings.nodeCount, durability: settings.process.durability,
                    peers: MeteredPeers(book, time: SystemTime()), logger: logger)
                nodes.append(node)
                book.add(node.transport)
            }
            // The address of a node of the same process is its name.
            let connect = { @Sendable (name: String) -> any ChunkTransport in
                MeteredTransport(book.transport(toAddress: name), address: name, time: SystemTime())
            }
            let seeds = nodes.map { node in
                let name = node.transport.id.description
                return ClusterBootstrap.Seed(address: name, transport: connect(name))
            }
            let store = try await gateway.openStore(seeds: seeds, patience: .zero, connect: connect)
            try await gateway.serve(store, takesNodes: false, beside: traces + nodes.flatMap(\.services))
        } catch {
            await close(gateway, nodes)
            throw error
        }
        await close(gateway, nodes)
    }

    private static func close(_ gateway: Gateway, _ nodes: [StorageNode]) async {
        await gateway.close()
        for node in nodes { await node.close() }
    }
}
