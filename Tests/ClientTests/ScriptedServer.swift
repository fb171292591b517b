import Foundation
import NIOCore
import NIOHTTP1
import NIOPosix
import Synchronization

/// A request as it arrived.
struct ReceivedRequest: Sendable {
    let method: HTTPMethod
    let uri: String
    let headers: HTTPHeaders
    /// All of the body that came.
    let body: [UInt8]

    var path: String { String(uri.prefix { $0 != "?" }) }
}

/// What a scripted server does with a request.
struct ScriptedAnswer: Sendable {
    var status: HTTPResponseStatus = .ok
    var headers: HTTPHeaders = [:]
    var body: [UInt8] = []
    /// Closes the connection after so many bytes of the body; nil sends all of it.
    var breakAfter: Int?

    static func json(_ text: String, status: HTTPResponseStatus = .ok) -> ScriptedAnswer {
        ScriptedAnswer(status: status, headers: ["Content-Type": "application/json"], body: Array(text.utf8))
    }

    static func problem(_ status: HTTPResponseStatus, _ detail: String, headers: HTTPHeaders = [:]) -> ScriptedAnswer {
        let text = #"{"type":"about:blank","title":"problem","status":\#(status.code),"detail":"\#(detail)","requestID":"r-1"}"#
        return ScriptedAnswer(status: status, headers: headers, body: Array(text.utf8))
    }

    /// Closes the connection without a word.
    static let hangUp = ScriptedAnswer(status: .internalServerError, breakAfter: -1)
}

/// An HTTP server on a port of its own that answers as a test says, and remembers what it was asked.
final class ScriptedServer: Sendable {
    typealias Script = @Sendable (ReceivedRequest) -> ScriptedAnswer

    private let channel: any Channel
    private let log: Log

    final class Log: Sendable {
        private let requests = Mutex<[ReceivedRequest]>([])
        private let connections = Mutex(0)
        var all: [ReceivedRequest] { requests.withLock { $0 } }
        var connectionCount: Int { connections.withLock { $0 } }
        func append(_ request: ReceivedRequest) { requests.withLock { $0.append(request) } }
        func addConnection() { connections.withLock { $0 += 1 } }
    }

    /// - Parameters:
    ///   - breakUploadsAfter: closes connections once so many bytes of a body have come, as often as the array says.
    ///   - answersEarly: answers before the body has come, and takes no more of it.
    static func with<Result>(
        breakUploadsAfter: [Int] = [], answersEarly: Bool = false, script: @escaping Script, _ body: (ScriptedServer) async throws -> Result
    ) async throws -> Result {
        let log = Log()
        let breaks = UploadBreaks(breakUploadsAfter)
        let channel = try await ServerBootstrap(group: .singletonMultiThreadedEventLoopGroup)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelInitializer { channel in
                log.addConnection()
                return channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.configureHTTPServerPipeline(withErrorHandling: false)
                    try channel.pipeline.syncOperations.addHandler(
                        ScriptHandler(script: script, log: log, breakAfter: breaks.next(), answersEarly: answersEarly))
                }
            }
            .bind(host: "127.0.0.1", port: 0).get()
        let server = ScriptedServer(channel: channel, log: log)
        let outcome: Swift.Result<Result, any Error>
        do { outcome = .success(try await body(server)) } catch { outcome = .failure(error) }
        try await channel.close()
        return try outcome.get()
    }

    private init(channel: any Channel, log: Log) {
        self.channel = channel
        self.log = log
    }

    var url: String { "http://127.0.0.1:\(channel.localAddress?.port ?? 0)" }
    var requests: [ReceivedRequest] { log.all }
    /// How many connections were made so far.
    var connectionCount: Int { log.connectionCount }
    func requests(_ method: HTTPMethod, _ path: String) -> [ReceivedRequest] { requests.filter { $0.method == method && $0.path == path } }
}

/// Hands out one limit for each connection.
private final class UploadBreaks: Sendable {
    private let left: Mutex<[Int]>
    init(_ limits: [Int]) { left = Mutex(limits) }
    func next() -> Int? { left.withLock { $0.isEmpty ? nil : $0.removeFirst() } }
}

private final class ScriptHandler: ChannelInboundHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias OutboundOut = HTTPServerResponsePart

    private let script: ScriptedServer.Script
    private let log: ScriptedServer.Log
    private let breakAfter: Int?
    private let answersEarly: Bool
    private var head: HTTPRequestHead?
    private var body: [UInt8] = []

    init(script: @escaping ScriptedServer.Script, log: ScriptedServer.Log, breakAfter: Int?, answersEarly: Bool) {
        self.script = script
        self.log = log
        self.breakAfter = breakAfter
        self.answersEarly = answersEarly
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch unwrapInboundIn(data) {
        case .head(let head):
            self.head = head
            body = []
            if answersEarly {
                answer(head, context)
                // What comes now stays in the socket.
                let channel = context.channel
                channel.setOption(.autoRead, value: false).whenFailure { _ in channel.close(promise: nil) }
            }
        case .body(let buffer):
            body.append(contentsOf: buffer.readableBytesView)
            if let breakAfter, body.count >= breakAfter { context.close(promise: nil) }
        case .end:
            if let head, !answersEarly { answer(head, context) }
        }
    }

    private func answer(_ head: HTTPRequestHead, _ context: ChannelHandlerContext) {
        let request = ReceivedRequest(method: head.method, uri: head.uri, headers: head.headers, body: body)
        log.append(request)
        answer(script(request), context)
    }

    private func answer(_ answer: ScriptedAnswer, _ context: ChannelHandlerContext) {
        if answer.breakAfter == -1 {
            context.close(promise: nil)
            return
        }
        var headers = answer.headers
        headers.replaceOrAdd(name: "Content-Length", value: "\(answer.body.count)")
        context.write(wrapOutboundOut(.head(HTTPResponseHead(version: .http1_1, status: answer.status, headers: headers))), promise: nil)
        let sent = answer.body.prefix(answer.breakAfter ?? answer.body.count)
        let flushed = context.eventLoop.makePromise(of: Void.self)
        context.writeAndFlush(wrapOutboundOut(.body(.byteBuffer(ByteBuffer(bytes: sent)))), promise: flushed)
        if answer.breakAfter == nil {
            context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil)
        } else {
            let channel = context.channel
            flushed.futureResult.whenComplete { _ in channel.close(promise: nil) }
        }
    }
}
