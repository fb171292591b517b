public import Core
public import Logging
internal import NIOCore
internal import NIOHTTP1
public import NIOPosix
public import ServiceLifecycle
import Synchronization

/// An HTTP/1.1 server over plain TCP.
///
/// Bound when made, serving while ``run()`` runs:
///
///     let server = try await HTTPServer.bind(to: address, responder: router, logger: logger)
///     print(server.address)      // with the port that was free, when 0 was asked for
///     try await server.run()     // or hand it to a ServiceGroup
///
/// On graceful shutdown (of the ServiceGroup, or ``beginShutdown()``) it stops accepting, closes idle connections at once and
/// gives requests in flight ``HTTPLimits/shutdownTime``. When the task of ``run()`` is cancelled, it cuts all connections.
public final class HTTPServer: Service, Sendable {
    /// Where it listens.
    public let address: HostPort

    private let listener: any Channel
    private let connections: ConnectionRegistry
    private let accepted: AsyncStream<HTTPConnection>
    private let limits: HTTPLimits

    private init(
        address: HostPort, listener: any Channel, connections: ConnectionRegistry, accepted: AsyncStream<HTTPConnection>, limits: HTTPLimits
    ) {
        self.address = address
        self.listener = listener
        self.connections = connections
        self.accepted = accepted
        self.limits = limits
    }

    /// Starts listening. Requests are answered once ``run()`` runs; it must be run, or closed by ``beginShutdown()``.
    /// - Parameter api: what metrics call the server: one of few names.
    /// - Throws: what the operating system said when the address cannot be had.
    public static func bind(
        to address: HostPort, api: String = "rest", responder: any HTTPResponder, limits: HTTPLimits = HTTPLimits(),
        time: any TimeSource = SystemTime(),
        random: any RandomSource = SystemRandom(), group: MultiThreadedEventLoopGroup = .singleton, logger: Logger
    ) async throws -> HTTPServer {
        let edge = EdgeContext(api: api, responder: responder, limits: limits, time: time, random: random, logger: logger)
        let connections = ConnectionRegistry(limit: limits.connections)
        let (accepted, continuation) = AsyncStream.makeStream(of: HTTPConnection.self)
        let bootstrap = ServerBootstrap(group: group)
            .serverChannelOption(.backlog, value: 1_024)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelOption(.tcpOption(.tcp_nodelay), value: 1)
            .childChannelOption(.allowRemoteHalfClosure, value: true)
            .childChannelOption(.maxMessagesPerRead, value: 2)
            .childChannelOption(
                .recvAllocator,
                value: AdaptiveRecvByteBufferAllocator(minimum: 2_048, initial: 4_096, maximum: max(4_096, limits.readBytes))
            )
            .childChannelOption(
                .writeBufferWaterMark, value: .init(low: max(1, limits.responseBufferBytes / 2), high: limits.responseBufferBytes)
            )
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    guard let connection = try configure(channel, edge: edge, connections: connections) else { return }
                    continuation.yield(connection)
                }
            }
        let listener = try await bootstrap.bind(host: address.host, port: address.port).get()
        listener.closeFuture.whenComplete { _ in continuation.finish() }
        return HTTPServer(
            address: HostPort(host: address.host, port: listener.localAddress?.port ?? address.port), listener: listener,
            connections: connections, accepted: accepted, limits: limits)
    }

    /// Answers requests until shutdown is complete.
    public func run() async throws {
        await withTaskCancellationHandler {
            await withGracefulShutdownHandler {
                await withDiscardingTaskGroup { group in
                    for await connection in self.accepted {
                        group.addTask { await connection.serve() }
                    }
                }
            } onGracefulShutdown: {
                self.beginShutdown()
            }
        } onCancel: {
            self.listener.close(promise: nil)
            self.connections.closeAll()
        }
    }

    /// Stops accepting and lets ``run()`` end once the requests in flight are answered or ``HTTPLimits/shutdownTime`` has passed.
    public func beginShutdown() {
        listener.close(promise: nil)
        connections.quiesceAll()
        let connections = self.connections
        listener.eventLoop.scheduleTask(in: .nanoseconds(limits.shutdownTime.nanoseconds)) { connections.closeAll() }
    }

    /// Builds the pipeline of an accepted connection.
    /// - Returns: nil for a connection beyond the limit, which answers for itself.
    private static func configure(_ channel: any Channel, edge: EdgeContext, connections: ConnectionRegistry) throws -> HTTPConnection? {
        let admission = connections.admit()
        channel.closeFuture.whenComplete { _ in connections.leave() }
        if admission == .cut {
            channel.close(promise: nil)
            return nil
        }
        let handler = HTTPConnectionHandler(edge: edge, isRefused: admission == .refused)
        var decoderLimits = NIOHTTPDecoderLimitConfiguration()
        decoderLimits.maxHeaderFieldSize = edge.limits.headerFieldBytes
        decoderLimits.maxHeaderListSize = edge.limits.headerBytes
        decoderLimits.maxHeaderFieldCount = edge.limits.headerFieldCount
        let pipeline = channel.pipeline.syncOperations
        try pipeline.addHandler(InboundBytesObserver(connection: handler))
        try pipeline.addHandler(
            ByteToMessageHandler(HTTPRequestDecoder(leftOverBytesStrategy: .dropBytes, limitConfiguration: decoderLimits)))
        try pipeline.addHandler(handler)
        guard admission == .admitted else { return nil }
        let connection = HTTPConnection(channel: channel, handler: NIOLoopBound(handler, eventLoop: channel.eventLoop), context: edge)
        handler.attach(connection)
        connections.register(connection)
        return connection
    }
}

/// The open connections of a server.
final class ConnectionRegistry: Sendable {
    enum Admission {
        case admitted
        /// Beyond the limit: told so.
        case refused
        /// Far beyond the limit: closed without a word.
        case cut
    }

    private struct State {
        var count = 0
        var open: [ObjectIdentifier: HTTPConnection] = [:]
        var quiescing = false
    }

    private let limit: Int
    private let state = Mutex(State())

    init(limit: Int) { self.limit = limit }

    func admit() -> Admission {
        state.withLock { state in
            state.count += 1
            return state.count <= limit ? .admitted : state.count <= 2 * limit ? .refused : .cut
        }
    }

    func leave() { state.withLock { $0.count -= 1 } }

    func register(_ connection: HTTPConnection) {
        let id = ObjectIdentifier(connection)
        let quiescing = state.withLock { state in
            state.open[id] = connection
            return state.quiescing
        }
        connection.channel.closeFuture.whenComplete { _ in self.state.withLock { $0.open[id] = nil } }
        if quiescing { connection.quiesce() }
    }

    func quiesceAll() {
        let open = state.withLock { state in
            state.quiescing = true
            return Array(state.open.values)
        }
        for connection in open { connection.quiesce() }
    }

    func closeAll() {
        let open = state.withLock { state in
            state.quiescing = true
            return Array(state.open.values)
        }
        for connection in open { connection.close() }
    }
}
