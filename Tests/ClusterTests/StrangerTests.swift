import ChunkTransport
import ClusterProtocol
import Core
import Metadata
import ObjectStore
import StorageService
import Testing

@Suite("Servers that do not belong together")
struct StrangerTests {
    private static let oldVersion = "0"

    /// Runs `body` with a way to a node of its own that speaks another version of the protocol.
    private static func withIncompatibleNode(
        log: LogRecord = LogRecord(), _ body: @escaping @Sendable (GRPCChunkTransport) async throws -> Void
    ) async throws {
        let running = try await RunningServer.start(
            ClusterServer(
                node: MemoryNode(), listen: ClusterFixture.loopback, secret: nil, shutdownTimeout: .seconds(5), logger: log.logger))
        try await running.whileRunning {
            let transport = try GRPCChunkTransport(
                address: running.address, secret: nil, time: SystemTime(), protocolVersion: oldVersion)
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask { await transport.run() }
                defer { group.cancelAll() }
                try await body(transport)
            }
        }
    }

    private static let refusal = "the caller speaks version 0 of the protocol between servers, this server version 1"

    @Test("a node logs once which distributor it refuses for its version, and why; the distributor is told the same")
    func version() async throws {
        let log = LogRecord()
        try await Self.withIncompatibleNode(log: log) { transport in
            for _ in 0..<3 {
                #expect(await nodeError { try await transport.information() } == .incompatible(detail: Self.refusal))
            }
        }
        #expect(log.all.count == 1, "\(log.all)")
        #expect(log.all.first?.contains("caller=127.0.0.1") == true && log.all.first?.contains(Self.refusal) == true, "\(log.all)")
    }

    @Test("a node logs the distributor of another cluster, and one with another secret, but not what it answers its own")
    func others() async throws {
        let log = LogRecord()
        let node = MemoryNode()
        node.behave { $0.failure = .wrongCluster(node: node.id, belongsTo: ClusterID(uuid: UUIDv7(high: 1, low: 2))) }
        let server = ClusterServer(
            node: node, listen: ClusterFixture.loopback, secret: "secret", shutdownTimeout: .seconds(5), logger: log.logger)
        let running = try await RunningServer.start(server)
        try await running.whileRunning {
            try await ClusterFixture.withTransport(to: running.address, secret: "secret") { transport in
                _ = await nodeError { try await transport.claim(for: ClusterID(uuid: UUIDv7(high: 3, low: 4))) }
                #expect(log.all.count == 1 && log.all.last?.contains("wrongCluster") == true, "\(log.all)")
                node.behave { $0.failure = .notFound(ClusterFixture.id()) }
                _ = await nodeError { try await transport.bytes(ClusterFixture.id()) }
                #expect(log.all.count == 1, "\(log.all)")
            }
            try await ClusterFixture.withTransport(to: running.address, secret: "another") { transport in
                _ = await nodeError { try await transport.information() }
                #expect(log.all.count == 2 && log.all.last?.contains("secret") == true, "\(log.all)")
            }
        }
    }

    private static func database() async throws -> SQLiteMetadataStore {
        try await SQLiteMetadataStore.open(path: nil, executor: InlineExecutor(), logger: ClusterFixture.logger)
    }

    private static func bootstrap(
        _ metadata: SQLiteMetadataStore, connect: @escaping @Sendable (String) throws -> any ChunkTransport
    ) -> ClusterBootstrap {
        ClusterBootstrap(
            configuration: StoreConfiguration(), metadata: metadata, time: SystemTime(), random: SystemRandom(),
            logger: ClusterFixture.logger, connect: connect)
    }

    @Test("a distributor does not wait for a node of another protocol version: its start is refused at once", .timeLimit(.minutes(1)))
    func start() async throws {
        let metadata = try await Self.database()
        try await Self.withIncompatibleNode { transport in
            let seed = ClusterBootstrap.Seed(address: transport.address, transport: transport)
            await #expect(throws: BootstrapError.refused(address: transport.address, detail: Self.refusal)) {
                _ = try await Self.bootstrap(metadata) { _ in transport }.run(seeds: [seed], patience: .seconds(3600))
            }
        }
    }

    @Test("a node of another protocol version is not admitted, rather than said not to answer")
    func admission() async throws {
        let metadata = try await Self.database()
        try await Self.withIncompatibleNode { transport in
            let cluster = try await Self.bootstrap(metadata) { _ in transport }.run(seeds: [], patience: .zero)
            let store = try await ObjectStore(
                configuration: StoreConfiguration(), cluster: cluster, metadata: metadata, time: SystemTime(), random: SystemRandom(),
                digestExecutor: InlineExecutor(), logger: ClusterFixture.logger)
            let detail = "the storage node at \(transport.address) refuses this distributor: \(Self.refusal)"
            await #expect(throws: AdministrationError.notAdmitted(detail: detail)) {
                _ = try await store.addNode(at: transport.address)
            }
        }
    }
}
