import Core
import DirectTransport
import NIOCore
import NIOPosix
import Testing

/// What a client makes of who answers.
@Suite("Asking for direct connections")
struct ClientTests {
    /// A listener that does `answer` with whoever comes.
    private static func with(
        _ answer: @escaping @Sendable (any Channel) -> Void, _ body: (DirectClientTransport) async throws -> Void
    ) async throws {
        let listener = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture { try channel.pipeline.syncOperations.addHandler(Answer(answer)) }
            }
            .bind(host: "127.0.0.1", port: 0).get()
        let port = try #require(listener.localAddress?.port)
        try await body(DirectClientTransport(to: HostPort(host: "127.0.0.1", port: port), maximumMessageSize: 1_000, time: SystemTime()))
        try await listener.close()
    }

    private final class Answer: ChannelInboundHandler, Sendable {
        typealias InboundIn = ByteBuffer
        private let answer: @Sendable (any Channel) -> Void
        init(_ answer: @escaping @Sendable (any Channel) -> Void) { self.answer = answer }
        func channelActive(context: ChannelHandlerContext) { answer(context.channel) }
    }

    @Test("a server that says what it should knows them")
    func understood() async throws {
        try await Self.with({ $0.writeAndFlush(ByteBuffer(string: "chunkF1\n"), promise: nil) }) { transport in
            #expect(await transport.isUnderstood())
        }
    }

    @Test("one that says something else, or goes without a word, does not")
    func misunderstood() async throws {
        // The settings with which a server of HTTP/2 begins.
        try await Self.with({ $0.writeAndFlush(ByteBuffer(bytes: [0, 0, 0, 4, 0, 0, 0, 0, 0]), promise: nil) }) { transport in
            #expect(await !transport.isUnderstood())
        }
        try await Self.with({ $0.close(promise: nil) }) { transport in
            #expect(await !transport.isUnderstood())
        }
    }

    @Test("one that is not there may")
    func nobody() async throws {
        let transport = DirectClientTransport(to: HostPort(host: "127.0.0.1", port: 1), maximumMessageSize: 1_000, time: SystemTime())
        #expect(await transport.isUnderstood())
    }

    @Test("who is cancelled does not wait for one that says nothing, and learns nothing of it")
    func cancelled() async throws {
        let accepted = Signal()
        try await Self.with({ _ in accepted.raise() }) { transport in
            let start = ContinuousClock.now
            let asking = Task { await transport.isUnderstood() }
            try await accepted.wait()
            asking.cancel()
            #expect(await asking.value)
            #expect(ContinuousClock.now - start < .seconds(4))
        }
    }
}
