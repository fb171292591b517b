internal import ChunkStore
package import ChunkTransport
package import Core
internal import Foundation
package import Logging
package import ServiceLifecycle

/// A storage node of this process: the engine on a directory, and the node's identity in it.
package struct StorageNode: Sendable {
    /// Threads for one node's disk. Two keep a reader from waiting for somebody's fdatasync.
    private static let diskThreads = 4

    package let transport: LocalChunkTransport
    /// What runs beside the node as long as it serves.
    package let services: [any Service]
    private let store: ChunkStore

    /// Of one of several nodes of a process.
    static func directory(_ number: Int, inDataDirectory dataDirectory: String) -> String { "\(dataDirectory)/nodes/\(number)" }

    /// - Parameters:
    ///   - nodesOnDisk: how many nodes have their directories on the same disk, and look after it.
    ///   - maintenanceInterval: between two looks for segments to compact.
    ///   - inlineReadLimit: see ``ChunkStore/Configuration/inlineReadLimit``.
    package static func open(
        directory: String, zone: String, scrubPeriod: Duration?, nodesOnDisk: Int = 1,
        maintenanceInterval: Duration = NodeMaintenance.defaultInterval, durability: Durability,
        inlineReadLimit: Int? = nil, peers: any PeerDialer, logger: Logger
    ) async throws -> StorageNode {
        let disk = try PosixDisk(directory: directory)
        var configuration = ChunkStore.Configuration()
        configuration.durability = durability
        if let inlineReadLimit { configuration.inlineReadLimit = inlineReadLimit }
        let store = try await ChunkStore.open(
            disk: disk, configuration: configuration, executor: ThreadPoolExecutor(threadCount: diskThreads), time: SystemTime(),
            random: SystemRandom(), logger: logger)
        let transport = try LocalChunkTransport(
            store: store, identity: FileNodeIdentityStore(directory: directory), zone: zone, version: chunkFlowVersion, peers: peers,
            time: SystemTime(), random: SystemRandom(), logger: logger)
        ServerMetrics.observe(transport, store)
        var services: [any Service] = [NodeMaintenance(store: store, interval: maintenanceInterval, logger: logger)]
        if let scrubPeriod {
            let scrubber = Scrubber(
                store: store, progress: ScrubProgressFile(directory: directory, logger: logger), period: scrubPeriod,
                storesOnDisk: nodesOnDisk, time: SystemTime(), logger: logger)
            ServerMetrics.observe(scrubber, of: transport.id)
            services.append(ScrubService(scrubber: scrubber, logger: logger))
        }
        return StorageNode(transport: transport, services: services, store: store)
    }

    /// Waits for what is in flight and leaves the directory in order.
    package func close() async { await store.close() }
}
