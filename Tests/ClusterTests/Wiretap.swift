import NIOCore
import NIOPosix
import Synchronization

/// A network between a client and a server that a test can break: it forwards bytes until told to swallow or to cut.
final class Wiretap: Sendable {
    private struct State {
        var isSwallowing = false
        var channels: [any Channel] = []
    }

    private let listener: any Channel
    private let state: SharedState

    /// Shared with the handlers, which must not keep the listener alive.
    fileprivate final class SharedState: Sendable {
        private let state = Mutex(State())
        var isSwallowing: Bool { state.withLock { $0.isSwallowing } }
        var channels: [any Channel] { state.withLock { $0.channels } }
        func swallow() { state.withLock { $0.isSwallowing = true } }
        func add(_ channel: any Channel) { state.withLock { $0.channels.append(channel) } }
        func removeAll() -> [any Channel] {
            state.withLock { state in
                defer { state.channels = [] }
                return state.channels
            }
        }
    }

    private init(listener: any Channel, state: SharedState) {
        self.listener = listener
        self.state = state
    }

    /// Listens on a free port of the loopback and forwards to `port`.
    static func start(to port: Int) async throws -> Wiretap {
        let state = SharedState()
        let listener = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .childChannelOption(.autoRead, value: false)
            .childChannelInitializer { inbound in
                ClientBootstrap(group: inbound.eventLoop).channelOption(.autoRead, value: false)
                    .connect(host: "127.0.0.1", port: port)
                    .flatMap { outbound in
                        state.add(inbound)
                        state.add(outbound)
                        return inbound.eventLoop.makeCompletedFuture {
                            try inbound.pipeline.syncOperations.addHandler(Forwarder(to: outbound, state: state))
                            try outbound.pipeline.syncOperations.addHandler(Forwarder(to: inbound, state: state))
                            outbound.read()
                        }
                    }
            }
            .bind(host: "127.0.0.1", port: 0).get()
        return Wiretap(listener: listener, state: state)
    }

    var address: String { "127.0.0.1:\(listener.localAddress?.port ?? 0)" }

    /// Connections that are open.
    var connections: Int { state.channels.count { $0.isActive } / 2 }

    /// Connections that were made since the last ``cut()``.
    var connectionsMade: Int { state.channels.count / 2 }

    /// From now on nothing arrives any more, in either direction, as when a machine has lost its power.
    func swallow() { state.swallow() }

    /// Breaks every connection. New ones work.
    func cut() { for channel in state.removeAll() { channel.close(promise: nil) } }

    func close() async throws {
        cut()
        try await listener.close()
    }
}

private final class Forwarder: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    private let other: any Channel
    private let state: Wiretap.SharedState

    init(to other: any Channel, state: Wiretap.SharedState) {
        self.other = other
        self.state = state
    }

    func channelActive(context: ChannelHandlerContext) {
        context.read()
        context.fireChannelActive()
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard !state.isSwallowing else { return }
        let channel = context.channel
        // The next bytes are taken when these have gone on: back-pressure passes through.
        other.writeAndFlush(unwrapInboundIn(data)).whenSuccess { channel.read() }
    }

    func channelInactive(context: ChannelHandlerContext) {
        other.close(promise: nil)
        context.fireChannelInactive()
    }
}
