public import Core
public import Logging
public import ServiceLifecycle
import Synchronization

/// The connections of one process to storage nodes: one for each address, made when first asked for.
///
/// Keep ``run()`` running while they are used. Safe to use from any task.
public final class GRPCPeerDialer: PeerDialer, Service {
    private struct State {
        var connections: [String: GRPCChunkTransport] = [:]
        var isShutDown = false
    }

    private let secret: String?
    private let timeouts: TransportTimeouts
    private let time: any TimeSource
    private let logger: Logger
    private let state = Mutex(State())
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
    /// - Throws: ``NodeError/unreachable`` when `address` is not of that form, ``NodeError/shuttingDown`` after ``shutDown()``.
    public func transport(toAddress address: String) throws -> GRPCChunkTransport {
        try state.withLock { state in
            if let known = state.connections[address] { return known }
            // Nobody would run it, and its calls would wait in vain.
            guard !state.isShutDown else { throw NodeError.shuttingDown }
            let transport = try GRPCChunkTransport(address: address, secret: secret, timeouts: timeouts, time: time)
            state.connections[address] = transport
            opening.yield(transport)
            logger.debug("a new node to connect to", metadata: ["address": "\(address)"])
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
        let connections = state.withLock { state in
            state.isShutDown = true
            return Array(state.connections.values)
        }
        opening.finish()
        for transport in connections { transport.shutDown() }
    }
}
