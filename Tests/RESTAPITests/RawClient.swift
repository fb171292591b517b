import Core
import NIOCore
import NIOPosix
import Synchronization
import Testing

/// A TCP client that sends exactly what it is told, and shows exactly what came back.
final class RawClient: Sendable {
    struct Response: Sendable {
        var status: Int
        var headers: [(name: String, value: String)]
        var body: ByteBuffer

        subscript(name: String) -> String? { headers.first { $0.name.lowercased() == name.lowercased() }?.value }
        var text: String { String(buffer: body) }
    }

    private struct State {
        var received = ByteBuffer()
        var ended = false
    }

    private let channel: any Channel
    private let state: SharedState

    private final class SharedState: Sendable {
        let mutex = Mutex(State())
        let changed = Signal()
    }

    private final class Collector: ChannelInboundHandler {
        typealias InboundIn = ByteBuffer
        let state: SharedState

        init(state: SharedState) { self.state = state }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            let bytes = unwrapInboundIn(data)
            state.mutex.withLock { _ = $0.received.writeImmutableBuffer(bytes) }
            state.changed.raise()
        }

        func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
            if event as? ChannelEvent == .inputClosed { end() }
            context.fireUserInboundEventTriggered(event)
        }

        func channelInactive(context: ChannelHandlerContext) { end() }
        func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }

        private func end() {
            state.mutex.withLock { $0.ended = true }
            state.changed.raise()
        }
    }

    private init(channel: any Channel, state: SharedState) {
        self.channel = channel
        self.state = state
    }

    /// - Parameter reads: false for a client that takes no byte of what is sent to it.
    static func connect(to address: HostPort, reads: Bool = true) async throws -> RawClient {
        let state = SharedState()
        let channel = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .channelOption(.allowRemoteHalfClosure, value: true)
            .channelOption(.autoRead, value: reads)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture { try channel.pipeline.syncOperations.addHandler(Collector(state: state)) }
            }
            .connect(host: address.host, port: address.port).get()
        return RawClient(channel: channel, state: state)
    }

    func send(_ text: String) { send(ByteBuffer(string: text)) }
    func send(_ bytes: ByteBuffer) { channel.writeAndFlush(bytes, promise: nil) }
    /// Returns when the operating system has taken all of it.
    func sendAndFlush(_ bytes: ByteBuffer) async throws { try await channel.writeAndFlush(bytes).get() }
    /// Says that no more will be sent; goes on reading.
    func closeOutput() { channel.close(mode: .output, promise: nil) }
    func close() { channel.close(promise: nil) }

    var isEnded: Bool { state.mutex.withLock { $0.ended } }
    var receivedText: String { state.mutex.withLock { String(buffer: $0.received) } }
    var receivedBytes: Int { state.mutex.withLock { $0.received.readableBytes } }

    /// Waits until `take` makes something of what has been received.
    func wait<Value: Sendable>(_ take: @Sendable @escaping (inout ByteBuffer, _ ended: Bool) throws -> Value?) async throws -> Value {
        let state = self.state
        return try await withDeadline(.seconds(20), time: SystemTime()) {
            while true {
                if let value = try state.mutex.withLock({ try take(&$0.received, $0.ended) }) { return value }
                try await state.changed.wait(atMost: .milliseconds(100), time: SystemTime())
            }
        }
    }

    func waitForEnd() async throws { try await wait { _, ended in ended ? () : nil } }

    /// Takes one response, an informational one too. `bodiless` for the answer to HEAD.
    func response(bodiless: Bool = false) async throws -> Response {
        try await wait { received, ended in
            let text = String(buffer: received)
            guard let end = text.range(ofHeadEnd: ()) else {
                if ended { throw ClientError.ended(after: text) }
                return nil
            }
            var lines = text[..<end].split(separator: "\r\n", omittingEmptySubsequences: false)
            let statusLine = lines.removeFirst().split(separator: " ")
            guard statusLine.count >= 2, statusLine[0] == "HTTP/1.1", let status = Int(statusLine[1]) else {
                throw ClientError.malformed(text)
            }
            let headers = lines.filter { !$0.isEmpty }.map { line in
                let sides = line.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
                return (name: String(sides[0]), value: sides.count > 1 ? String(sides[1].drop { $0 == " " }) : "")
            }
            var response = Response(status: status, headers: headers, body: ByteBuffer())
            let headLength = text[..<end].utf8.count + 4
            let length = bodiless || status < 200 ? 0 : Int(response["content-length"] ?? "0") ?? 0
            guard received.readableBytes >= headLength + length else {
                if ended { throw ClientError.ended(after: String(text.prefix(300))) }
                return nil
            }
            received.moveReaderIndex(forwardBy: headLength)
            response.body = received.readSlice(length: length) ?? ByteBuffer()
            return response
        }
    }

    func exchange(_ request: String, bodiless: Bool = false) async throws -> Response {
        send(request)
        return try await response(bodiless: bodiless)
    }

    enum ClientError: Error {
        case ended(after: String)
        case malformed(String)
    }
}

extension String {
    /// Where the empty line after a head begins. Bodies are binary, heads are ASCII: the search is over bytes.
    fileprivate func range(ofHeadEnd: Void) -> String.Index? {
        let bytes = Array(utf8.prefix(64 * 1024))
        guard bytes.count >= 4 else { return nil }
        for position in 0...(bytes.count - 4) where bytes[position...].starts(with: [13, 10, 13, 10]) {
            return utf8.index(startIndex, offsetBy: position)
        }
        return nil
    }
}
