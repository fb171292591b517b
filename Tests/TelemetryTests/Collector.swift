import Core
import Foundation
import NIOCore
import NIOHTTP1
import NIOPosix
import Synchronization

/// An OpenTelemetry collector on a port of its own that answers as a test says.
final class Collector: Sendable {
    struct Request: Sendable {
        let head: HTTPRequestHead
        let body: Data

        /// The names of the spans that it brings, in order.
        var spans: [String] {
            let document = try? JSONSerialization.jsonObject(with: body) as? [String: Any]
            let resources = document?["resourceSpans"] as? [[String: Any]] ?? []
            let scopes = resources.flatMap { $0["scopeSpans"] as? [[String: Any]] ?? [] }
            return scopes.flatMap { $0["spans"] as? [[String: Any]] ?? [] }.compactMap { $0["name"] as? String }
        }
    }

    enum Answer: Sendable {
        case status(HTTPResponseStatus)
        /// None, and the connection stays.
        case silence
        case hangUp
    }

    private let channel: any Channel
    private let requests: AsyncStream<Request>

    /// - Parameter script: answers the requests, which are counted from 0.
    static func with<Result>(
        _ script: @escaping @Sendable (Int) -> Answer, _ body: (Collector) async throws -> Result
    ) async throws -> Result {
        let (requests, arrivals) = AsyncStream<Request>.makeStream()
        let count = Mutex(0)
        let channel = try await ServerBootstrap(group: .singletonMultiThreadedEventLoopGroup)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.configureHTTPServerPipeline(withErrorHandling: false)
                    try channel.pipeline.syncOperations.addHandler(
                        Handler { request in
                            arrivals.yield(request)
                            let number = count.withLock { count in
                                defer { count += 1 }
                                return count
                            }
                            return script(number)
                        })
                }
            }
            .bind(host: "127.0.0.1", port: 0).get()
        let outcome: Swift.Result<Result, any Error>
        do { outcome = .success(try await body(Collector(channel: channel, requests: requests))) } catch { outcome = .failure(error) }
        try await channel.close()
        return try outcome.get()
    }

    private init(channel: any Channel, requests: AsyncStream<Request>) {
        self.channel = channel
        self.requests = requests
    }

    var url: String { "http://127.0.0.1:\(channel.localAddress?.port ?? 0)" }

    /// The next request that has not been asked for yet.
    /// - Throws: `DeadlineExceeded` when none comes.
    func next() async throws -> Request {
        let requests = requests
        let request = try await withDeadline(.seconds(30), time: SystemTime()) {
            var iterator = requests.makeAsyncIterator()
            return await iterator.next()
        }
        guard let request else { throw CancellationError() }
        return request
    }

    private final class Handler: ChannelInboundHandler {
        typealias InboundIn = HTTPServerRequestPart
        typealias OutboundOut = HTTPServerResponsePart

        private let answer: (Request) -> Answer
        private var head: HTTPRequestHead?
        private var body = Data()

        init(answer: @escaping (Request) -> Answer) { self.answer = answer }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            switch unwrapInboundIn(data) {
            case .head(let head): (self.head, body) = (head, Data())
            case .body(let bytes): body.append(contentsOf: bytes.readableBytesView)
            case .end:
                guard let head else { return }
                switch answer(Request(head: head, body: body)) {
                case .status(let status):
                    let head = HTTPResponseHead(version: .http1_1, status: status, headers: ["Content-Length": "2"])
                    context.write(wrapOutboundOut(.head(head)), promise: nil)
                    context.write(wrapOutboundOut(.body(.byteBuffer(ByteBuffer(string: "{}")))), promise: nil)
                    context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil)
                case .silence: break
                case .hangUp: context.close(promise: nil)
                }
            }
        }
    }
}

/// Time in which every wait is over when a test says so.
final class SteppedTime: TimeSource {
    private let steps: AsyncStream<Void>
    private let stepping: AsyncStream<Void>.Continuation

    init() { (steps, stepping) = AsyncStream.makeStream() }

    /// Ends one wait: the present one, or the next.
    func step() { stepping.yield() }

    func now() -> Timestamp { SystemTime().now() }
    func monotonicNow() -> MonotonicInstant { SystemTime().monotonicNow() }

    func sleep(for duration: Duration) async throws {
        var iterator = steps.makeAsyncIterator()
        _ = await iterator.next()
        try Task.checkCancellation()
    }
}
