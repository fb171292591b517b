public import Core
public import Logging
public import ServiceLifecycle
import Synchronization

/// The connections of one process to storage nodes: one for each address, made when first asked for.
///
/// Keep ``run()`` running while they are used. Safe to use from any task.
public final class GRPCPeerDialer: PeerDialer, Service {
    private let secret: String?
    private let timeouts: TransportTimeouts
    private let time: any TimeSource
    private let logger: Logger
    private let connections = Mutex<[String: GRPCChunkTransport]>([:])
    private let opened: AsyncStream<GRPCChunkTransport>
    private let opening: AsyncStream<GRPCChunkTransport>.Continuation

    /// - Parameter secret: the cluster secret, sent with every call.
    public init(secret: String?, timeouts: TransportTimeouts = TransportTimeouts(), time: any TimeSource, logger: Logger) {
        self.secret = secret
        self.timeouts = timeouts
        self.time = time
        self.logger = logger
        (opened, opening) = AsyncStream.makeStream()
    }

    /// The connection to `address` (`host:port`).
    /// - Throws: ``NodeError/unreachable`` when `address` is not of that form.
    public func transport(toAddress address: String) throws -> GRPCChunkTransport {
        try connections.withLock { connections in
            if let known = connections[address] { return known }
            let transport = try GRPCChunkTransport(address: address, secret: secret, timeouts: timeouts, time: time)
            connections[address] = transport
            opening.yield(transport)
            return transport
        }
    }

    public func transport(to peer: Peer) async throws -> any ChunkTransport { try transport(toAddress: peer.address) }

    /// Runs the connections until ``shutDown()``, a graceful shutdown, or cancellation.
    public func run() async {
        await withGracefulShutdownHandler {
            await withDiscardingTaskGroup { group in
                for await transport in opened { group.addTask { await transport.run() } }
            }
        } onGracefulShutdown: {
            self.shutDown()
        }
    }

    /// Lets calls in progress finish and takes no more.
    public func shutDown() {
        opening.finish()
        for transport in connections.withLock({ Array($0.values) }) { transport.shutDown() }
    }
}
