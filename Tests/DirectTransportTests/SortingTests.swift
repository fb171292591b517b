import DirectTransport
import GRPCCore
import NIOCore
import NIOPosix
import Synchronization
import Testing

@Suite("Connections at one address")
struct SortingTests {
    private static let opening = Array("chunkF1\n".utf8)

    /// Stands for the handlers of HTTP/2.
    private final class Other: ChannelInboundHandler, Sendable {
        typealias InboundIn = ByteBuffer
        private let log: Log
        init(_ log: Log) { self.log = log }
        func channelActive(context: ChannelHandlerContext) { log.add("active") }
        func channelRead(context: ChannelHandlerContext, data: NIOAny) { log.add(String(buffer: unwrapInboundIn(data))) }
        func channelInactive(context: ChannelHandlerContext) { log.add("inactive") }
        func handlerRemoved(context: ChannelHandlerContext) { log.add("removed") }
    }

    private final class Log: Sendable {
        private let state = Mutex<[String]>([])
        func add(_ line: String) { state.withLock { $0.append(line) } }

        /// Waits for these lines, and expects no others.
        func expect(_ lines: [String], sourceLocation: SourceLocation = #_sourceLocation) async throws {
            let deadline = ContinuousClock.now + .seconds(5)
            while state.withLock({ $0.count < lines.count }), ContinuousClock.now < deadline { try await Task.sleep(for: .milliseconds(2)) }
            #expect(state.withLock { $0 } == lines, sourceLocation: sourceLocation)
        }
    }

    private struct Client {
        var inbound: NIOAsyncChannelInboundStream<ByteBuffer>.AsyncIterator
        let outbound: NIOAsyncChannelOutboundWriter<ByteBuffer>

        func send(_ bytes: [UInt8]) async throws { try await outbound.write(ByteBuffer(bytes: bytes)) }

        /// The next `count` bytes, or those that come before the end.
        mutating func receive(_ count: Int = .max) async throws -> [UInt8] {
            var bytes: [UInt8] = []
            while bytes.count < count, let part = try await inbound.next() { bytes += part.readableBytesView }
            return bytes
        }
    }

    private static func withClient(
        patience: TimeAmount = .seconds(60), _ log: Log = Log(), _ body: (inout Client, DirectServerTransport) async throws -> Void
    ) async throws {
        let transport = DirectServerTransport(maximumMessageSize: 1_000, patience: patience)
        let serving = Task {
            try await transport.listen { stream, _ in
                try? await stream.outbound.write(.status(Status(code: .unauthenticated, message: ""), [:]))
            }
        }
        let listener = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture { try channel.pipeline.syncOperations.addHandler(Other(log)) }
                    .flatMap { transport.sort(channel) }
            }
            .bind(host: "127.0.0.1", port: 0).get()
        let address = try #require(listener.localAddress)
        let client = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton).connect(to: address) { channel in
            channel.eventLoop.makeCompletedFuture { try NIOAsyncChannel<ByteBuffer, ByteBuffer>(wrappingChannelSynchronously: channel) }
        }
        try await client.executeThenClose { inbound, outbound in
            var client = Client(inbound: inbound.makeAsyncIterator(), outbound: outbound)
            try await body(&client, transport)
        }
        transport.beginGracefulShutdown()
        try await listener.close()
        try await serving.value
    }

    @Test("one that does not begin as a direct connection goes to the other handlers, with every byte and its end")
    func other() async throws {
        let log = Log()
        try await Self.withClient(log) { client, _ in
            try await client.send(Array("PRI * ".utf8))
            try await log.expect(["active", "PRI * "])
            try await client.send(Array("HTTP/2.0".utf8))
            try await log.expect(["active", "PRI * ", "HTTP/2.0"])
        }
        try await log.expect(["active", "PRI * ", "HTTP/2.0", "inactive", "removed"])
    }

    @Test("a direct one is answered, however its bytes come, and the other handlers never hear of it")
    func direct() async throws {
        let log = Log()
        try await Self.withClient(log) { client, _ in
            try await client.send(Array(Self.opening.prefix(3)))
            #expect(try await client.receive(Self.opening.count) == Self.opening)
            try await client.send(Array(Self.opening.dropFirst(3)))
        }
        try await log.expect(["removed"])
    }

    enum Garbage: CaseIterable { case opening, frame, notACall, method }

    @Test("one that goes on with something else is closed", arguments: Garbage.allCases)
    func garbage(_ garbage: Garbage) async throws {
        try await Self.withClient { client, _ in
            switch garbage {
            case .opening: try await client.send(Array("chunkX".utf8))
            case .frame: try await client.send(Self.opening + [99, 0, 0, 0, 0, 0, 0, 0])
            case .notACall: try await client.send(Self.opening + [3, 0, 0, 0, 0, 0, 0, 0])
            case .method: try await client.send(Self.opening + [1, 0, 0, 0, 5, 0, 0, 0, 1, 0, 109, 0, 0])
            }
            #expect(try await client.receive() == Self.opening)
        }
    }

    @Test(
        "one that does not come to a call is closed when the patience with it is at its end",
        arguments: [[], Array(opening.prefix(3)), opening, opening + [1, 0, 0, 0, 200, 0, 0, 0, 7]])
    func silence(bytes: [UInt8]) async throws {
        let log = Log()
        try await Self.withClient(patience: .milliseconds(300), log) { client, _ in
            if !bytes.isEmpty { try await client.send(bytes) }
            let received = try await client.receive()
            #expect(received == (bytes.isEmpty ? [] : Self.opening))
        }
        try await log.expect(["removed"])
    }

    /// A call of a method `a/b` without metadata, and its end.
    private static let call: [UInt8] = [1, 0, 0, 0, 7, 0, 0, 0, 3, 0, 97, 47, 98, 0, 0]
    private static let end: [UInt8] = [3, 0, 0, 0, 0, 0, 0, 0]
    private static let unauthenticated: [UInt8] = [5, 0, 0, 0, 5, 0, 0, 0, 16, 0, 0, 0, 0]

    @Test("one whose call is refused for who it is gets the answer, and is closed")
    func stranger() async throws {
        try await Self.withClient { client, _ in
            try await client.send(Self.opening + Self.call + Self.end + Self.call + Self.end)
            let received = try await client.receive()
            #expect(received == Self.opening + Self.unauthenticated)
        }
    }

    @Test("one that goes before it is answered, and leaves more than is taken, is forgotten", arguments: 1...9)
    func gone(calls: Int) async throws {
        // The server, which must end when all that it serves has ended, does.
        try await Self.withClient { client, _ in
            try await client.send(Self.opening + Array(repeatElement(Self.call, count: calls).joined()) + Array(Self.end.prefix(5)))
        }
    }

    @Test("one without a call is closed by a shutdown, and none is taken after it")
    func shutdown() async throws {
        try await Self.withClient { client, transport in
            try await client.send(Self.opening)
            #expect(try await client.receive(Self.opening.count) == Self.opening)
            transport.beginGracefulShutdown()
            let received = try await client.receive()
            #expect(received.isEmpty)
        }
        try await Self.withClient { client, transport in
            transport.beginGracefulShutdown()
            try await client.send(Self.opening)
            _ = try await client.receive()
        }
    }
}
