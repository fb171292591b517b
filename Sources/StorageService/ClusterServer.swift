public import ChunkTransport
internal import ClusterProtocol
public import Core
internal import DirectTransport
package import GRPCCore
internal import GRPCNIOTransportHTTP2Posix
public import Logging
public import ServiceLifecycle

/// The gRPC listener of a server of the cluster: in front of a storage node, of other services, or of nothing but the health
/// service. Safe to use from any task.
public final class ClusterServer: Service {
    private typealias Transport = HTTP2ServerTransport.Posix

    private let transport: Transport
    private let server: GRPCServer<Transport>
    private let directServer: GRPCServer<DirectServerTransport>
    private let health: HealthService
    private let gate = CallGate()
    private let stopping = Signal()
    private let shutdownTimeout: Duration
    private let time: any TimeSource
    private let logger: Logger

    /// - Parameters:
    ///   - node: what the calls go to.
    ///   - listen: where to listen; the host must be an IP address or `localhost`.
    ///   - secret: demanded with every call but health checks; nil for none.
    ///   - shutdownTimeout: how long calls in progress may take to finish.
    ///   - maximumFragmentSize: bytes of payload that one put may carry.
    public convenience init(
        node: any ChunkTransport, listen: HostPort, secret: String?, shutdownTimeout: Duration,
        maximumFragmentSize: Int = TransportLimits.maximumFragmentSize, time: any TimeSource = SystemTime(), logger: Logger
    ) {
        self.init(
            services: Self.services(of: node, maximumFragmentSize: maximumFragmentSize),
            names: [Chunkflow_Storage_V1_StorageNode.descriptor, FragmentTransfer.service],
            interceptors: [RefusalLogInterceptor(.strangers, time: time, logger: logger)], listen: listen, secret: secret,
            shutdownTimeout: shutdownTimeout, time: time, logger: logger)
    }

    /// What a storage node is called by.
    package static func services(
        of node: any ChunkTransport, maximumFragmentSize: Int = TransportLimits.maximumFragmentSize
    ) -> [any RegistrableRPCService] {
        [NodeService(node: node), FragmentTransferService(node: node, maximumFragmentSize: maximumFragmentSize)]
    }

    /// A server that answers health checks only.
    public static func health(listen: HostPort, secret: String?, logger: Logger) -> ClusterServer {
        ClusterServer(
            services: [], names: [], listen: listen, secret: secret, shutdownTimeout: .seconds(1), time: SystemTime(),
            logger: logger)
    }

    /// A server of whatever services, behind the same guards as a storage node.
    /// - Parameters:
    ///   - names: of the services, for health checks.
    ///   - interceptors: passed by every call but health checks, before the guards.
    ///   - takesDirectConnections: false for tests, as a server of an earlier version.
    package init(
        services: [any RegistrableRPCService], names: [ServiceDescriptor], interceptors: [any ServerInterceptor] = [], listen: HostPort,
        secret: String?, shutdownTimeout: Duration, time: any TimeSource, logger: Logger, takesDirectConnections: Bool = true
    ) {
        health = HealthService(services: Set(names.map(\.fullyQualifiedService)))
        self.shutdownTimeout = shutdownTimeout
        self.time = time
        self.logger = logger
        let direct = DirectServerTransport(maximumMessageSize: TransferFrame.maximumSize)
        let config = Transport.Config.defaults { config in
            // Both kinds of connections come in at one address.
            if takesDirectConnections { config.channelDebuggingCallbacks.onAcceptTCPConnection = { direct.sort($0) } }
            config.http2.maxFrameSize = ClusterTransportSettings.frameSize
            config.http2.targetWindowSize = ClusterTransportSettings.windowSize
            config.http2.maxConcurrentStreams = ClusterTransportSettings.maximumConcurrentStreams
            config.rpc.maxRequestPayloadSize = TransferFrame.maximumSize
            // A caller whose machine has gone must not hold a call, and with it a segment, for ever.
            config.connection.keepalive.time = .seconds(10)
            config.connection.keepalive.timeout = .seconds(5)
            // The other servers ping every 10 s too, with or without calls.
            config.connection.keepalive.clientBehavior = .init(minPingIntervalWithoutCalls: .seconds(5), allowWithoutCalls: true)
        }
        let host = listen.host == "localhost" ? "127.0.0.1" : listen.host
        let address: SocketAddress =
            host.contains(":") ? .ipv6(host: host, port: listen.port) : .ipv4(host: host, port: listen.port)
        transport = Transport(address: address, transportSecurity: .plaintext, config: config)
        let open: Set<ServiceDescriptor> = [Grpc_Health_V1_Health.descriptor]
        let secrets: [any ServerInterceptor] = secret.map { [ClusterSecretInterceptor(secret: $0)] } ?? []
        let guards: [any ServerInterceptor] =
            [CallMetricsInterceptor(time: time)] + interceptors + secrets + [
                TraceInterceptor(), RequestInterceptor(time: time, logger: logger), ProtocolVersionInterceptor(),
                CallGateInterceptor(gate: gate),
            ]
        let pipeline = guards.map { ConditionalInterceptor.apply($0, to: .allExcluding(services: open, methods: [])) }
        server = GRPCServer(transport: transport, services: services + [health], interceptorPipeline: pipeline)
        directServer = GRPCServer(transport: direct, services: services + [health], interceptorPipeline: pipeline)
    }

    /// Where it listens, as soon as it does.
    /// - Throws: when it could not listen.
    public func boundAddress() async throws -> HostPort {
        let address = try await transport.listeningAddress
        if let ipv4 = address.ipv4 { return HostPort(host: ipv4.host, port: ipv4.port) }
        if let ipv6 = address.ipv6 { return HostPort(host: ipv6.host, port: ipv6.port) }
        return HostPort(host: "unknown", port: 0)
    }

    /// How long connections without calls may take to close.
    private static let closingTime = Duration.seconds(1)

    /// How long the listener may take to close before what is connected is cut off.
    private static let cuttingTime = Duration.milliseconds(100)

    /// Serves until it is shut down. Calls in progress then have the shutdown's time to finish; new ones are refused with
    /// ``NodeError/shuttingDown``.
    public func run() async throws {
        let serving = Task {
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask { try await self.directServer.serve() }
                defer { self.directServer.beginGracefulShutdown() }
                try await self.server.serve()
            }
        }
        try await withGracefulShutdownHandler {
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask { try await serving.value }
                group.addTask { try await self.drain() }
                group.addTask { await self.cutWhenCancelled(serving) }
                defer { group.cancelAll() }
                try await group.next()
            }
        } onGracefulShutdown: {
            self.beginShutdown()
        }
    }

    /// Waits for the shutdown and sees it through. Returns only when the server did not end by itself.
    private func drain() async throws {
        try await stopping.wait()
        do {
            try await withDeadline(shutdownTimeout, time: time) { try await self.gate.waitUntilEmpty() }
        } catch is DeadlineExceeded {
            logger.warning("calls are cut off by the shutdown", metadata: ["after": "\(shutdownTimeout)"])
            return
        }
        server.beginGracefulShutdown()
        directServer.beginGracefulShutdown()
        try await time.sleep(for: Self.closingTime)
    }

    /// When the server is cancelled, whether from outside or because its time is up: no more connections, then no more anything.
    /// The order matters. gRPC drops a connection that it accepts while it is being cancelled, and that is a crash.
    private func cutWhenCancelled(_ serving: Task<Void, any Error>) async {
        try? await Signal().wait()
        server.beginGracefulShutdown()
        directServer.beginGracefulShutdown()
        let cut = Task {
            try? await time.sleep(for: Self.cuttingTime)
            serving.cancel()
        }
        _ = await serving.result
        cut.cancel()
    }

    /// Takes no more calls and lets those in progress finish; ``run()`` returns when they have, or when their time is up.
    public func beginShutdown() {
        health.setServing(false)
        gate.shut()
        stopping.raise()
    }
}
