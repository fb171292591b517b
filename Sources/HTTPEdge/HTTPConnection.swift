internal import Core
internal import Logging
internal import NIOCore
internal import NIOHTTP1
internal import Tracing
import Synchronization

/// The side of a connection on which requests are worked on, one after the other, in tasks. ``HTTPConnectionHandler`` is the
/// side that lives on the event loop.
final class HTTPConnection: Sendable {
    /// Requests whose heads have arrived; the handler offers one only when the one before is answered.
    let inbox = BoundedQueue<Incoming>(capacity: 1)
    let channel: any Channel
    private let handler: NIOLoopBound<HTTPConnectionHandler>
    private let context: EdgeContext

    struct Incoming: Sendable {
        let request: HTTPRequest
        let arrivedAt: MonotonicInstant
    }

    init(channel: any Channel, handler: NIOLoopBound<HTTPConnectionHandler>, context: EdgeContext) {
        self.channel = channel
        self.handler = handler
        self.context = context
    }

    /// Answers requests until the connection is closed; the one in progress is cancelled then.
    func serve() async {
        await withTaskGroup { group in
            group.addTask {
                while let incoming = try? await self.inbox.next() {
                    let request = incoming.request
                    await RequestScope.$id.withValue(request.id) {
                        await withSpan("HTTP", context: RequestSpan.context(of: request), ofKind: .server) { span in
                            await self.exchange(incoming, span)
                        }
                    }
                }
            }
            try? await self.channel.closeFuture.get()
            group.cancelAll()
        }
    }

    /// Lets the request in progress finish; closes at once when there is none.
    func quiesce() { onEventLoop { $0.quiesce() } }

    /// Cuts the connection.
    func close() { channel.close(promise: nil) }

    func onEventLoop(_ action: @escaping @Sendable (HTTPConnectionHandler) -> Void) {
        let handler = self.handler
        if handler.eventLoop.inEventLoop {
            action(handler.value)
        } else {
            handler.eventLoop.execute { action(handler.value) }
        }
    }

    /// - Parameter span: of the request, from here to the end of its answer.
    private func exchange(_ incoming: Incoming, _ span: any Span) async {
        let request = incoming.request
        let failed = FailedRequest(id: request.id, target: request.target)
        var response: HTTPResponse
        if context.enter() {
            do {
                response = try await context.responder.respond(to: request)
                if case .stream = response.body, request.method != .HEAD {
                    defer { context.leave() }
                    return await stream(response, incoming, span)
                }
            } catch {
                response = answer(to: error, failed, request)
            }
            context.leave()
        } else {
            response = context.responder.response(to: EdgeError.overloaded, for: failed)
        }
        send(response, incoming, span)
    }

    private func answer(to error: any Error, _ failed: FailedRequest, _ request: HTTPRequest) -> HTTPResponse {
        let response = context.responder.response(to: error, for: failed)
        // What is not implemented has not failed.
        if response.status.code >= 500, response.status != .notImplemented, channel.isActive {
            request.logger.error("request failed", metadata: ["error": "\(error)"])
        }
        return response
    }

    /// Sends a response that is there as a whole.
    private func send(_ response: HTTPResponse, _ incoming: Incoming, _ span: any Span) {
        let head = ResponseHead(response)
        var body: ByteBuffer?
        if case .bytes(let bytes) = response.body, incoming.request.method != .HEAD, !ResponseHead.forbidsBody(response.status) {
            body = bytes
        }
        let bytes = body
        let isOpen = channel.isActive
        log(
            incoming, route: response.route, status: isOpen ? response.status.code : 499, bytesOut: Int64(bytes?.readableBytes ?? 0),
            outcome: isOpen ? .answered : .clientGone, span)
        onEventLoop { $0.respond(head, body: bytes) }
    }

    private func stream(_ response: HTTPResponse, _ incoming: Incoming, _ span: any Span) async {
        guard case .stream(let byteCount, let produce) = response.body else { return }
        let sender = StreamSender(connection: self, head: ResponseHead(response))
        do {
            try await produce(ResponseBodyWriter { try await sender.send($0) })
            guard sender.sentBytes == byteCount else {
                throw EdgeError.responseLengthMismatch(announced: byteCount, written: sender.sentBytes)
            }
        } catch {
            let failed = FailedRequest(id: incoming.request.id, target: incoming.request.target)
            if sender.sentBytes == 0, channel.isActive {
                var substitute = answer(to: error, failed, incoming.request)
                substitute.route = response.route
                return send(substitute, incoming, span)
            }
            let clientGone = !channel.isActive
            if !clientGone {
                incoming.request.logger.error(
                    "response broken off", metadata: ["error": "\(error)"])
            }
            close()
            return log(
                incoming, route: response.route, status: response.status.code, bytesOut: sender.sentBytes,
                outcome: clientGone ? .clientGone : .broken, span)
        }
        log(incoming, route: response.route, status: response.status.code, bytesOut: sender.sentBytes, outcome: .answered, span)
        let head = ResponseHead(response)
        onEventLoop { byteCount == 0 ? $0.respond(head, body: nil) : $0.endResponse() }
    }

    private func log(_ incoming: Incoming, route: String?, status: UInt, bytesOut: Int64, outcome: AccessRecord.Outcome, _ span: any Span) {
        let request = incoming.request
        let record = AccessRecord(
            id: request.id, method: request.method.rawValue, route: route, path: request.target.path, status: status,
            bytesIn: request.body.buffer.receivedBytes, bytesOut: bytesOut, duration: context.time.monotonicNow() - incoming.arrivedAt,
            outcome: outcome)
        context.logAccess(record)
        RequestSpan.describe(record, in: span)
    }
}

/// Sends a streamed body: the head with the first bytes, and never more than was announced.
private final class StreamSender: Sendable {
    private let connection: HTTPConnection
    private let head: ResponseHead
    private let sent = Mutex<Int64>(0)

    init(connection: HTTPConnection, head: ResponseHead) {
        self.connection = connection
        self.head = head
    }

    var sentBytes: Int64 { sent.withLock { $0 } }

    func send(_ bytes: ByteBuffer) async throws {
        guard bytes.readableBytes > 0 else { return }
        let before = sentBytes
        let after = before + Int64(bytes.readableBytes)
        guard after <= head.byteCount else {
            throw EdgeError.responseLengthMismatch(announced: head.byteCount, written: after)
        }
        sent.withLock { $0 = after }
        let head = before == 0 ? self.head : nil
        try await withCheckedThrowingContinuation { continuation in
            connection.onEventLoop { $0.write(bytes, after: head, continuation) }
        }
    }
}
