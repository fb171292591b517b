internal import Core
internal import Logging
internal import NIOCore
internal import NIOHTTP1

/// The side of a connection that lives on its event loop: hands out requests one by one, feeds their bodies as long as there
/// is room, writes responses, and watches the clock.
///
/// Inbound, requests come from NIO's decoder; outbound, it writes bytes.
final class HTTPConnectionHandler: ChannelDuplexHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias OutboundIn = Never
    typealias OutboundOut = ByteBuffer

    enum Phase {
        /// Waiting for a request.
        case idle
        /// Part of a head has arrived.
        case readingHead
        case exchanging(Exchange)
        /// The last response is written; what still comes is thrown away.
        case lingering
        case closed
    }

    /// The request that is being worked on.
    final class Exchange {
        let id: String
        let body: BodyBuffer
        let isHTTP10: Bool
        /// Whether the client asked for the connection to stay open, and it can.
        var keepsAlive: Bool
        var expectsContinue: Bool
        var receivedEnd = false
        var headWritten = false

        init(id: String, body: BodyBuffer, isHTTP10: Bool, keepsAlive: Bool, expectsContinue: Bool) {
            self.id = id
            self.body = body
            self.isHTTP10 = isHTTP10
            self.keepsAlive = keepsAlive
            self.expectsContinue = expectsContinue
        }
    }

    let edge: EdgeContext
    /// Set for a connection beyond the limit: answers 503, whatever comes.
    private let isRefused: Bool
    private var context: ChannelHandlerContext?
    private var connection: HTTPConnection?
    private(set) var phase = Phase.idle
    /// Parts of requests that came before the one in progress was answered.
    private var pipelined: [HTTPServerRequestPart] = []
    /// What is wrong with the bytes after `pipelined`.
    private var pipelinedFailure: EdgeError?
    private var inputClosed = false
    private var quiescing = false
    private var readHeld = false
    private var lingerBytesLeft: Int
    private var writer: CheckedContinuation<Void, any Error>?

    private var deadline: ConnectionDeadline?
    private var dateText: (second: Int64, text: String) = (.min, "")

    init(edge: EdgeContext, isRefused: Bool) {
        self.edge = edge
        self.isRefused = isRefused
        lingerBytesLeft = edge.limits.lingerBytes
    }

    /// Called once, on the event loop, before the channel becomes active.
    func attach(_ connection: HTTPConnection) { self.connection = connection }

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
        deadline = ConnectionDeadline(
            eventLoop: context.eventLoop, limits: edge.limits,
            pendingOutput: { [weak self] in (try? self?.context?.channel.syncOptions?.getOption(.bufferedWritableBytes)) ?? 0 },
            expire: { [weak self] in self?.timeOut($0) })
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        self.context = nil
        connection = nil
    }

    func channelActive(context: ChannelHandlerContext) {
        if isRefused {
            fail(.overloaded)
        } else {
            deadline?.wait(for: .request)
        }
        context.fireChannelActive()
    }

    func channelInactive(context: ChannelHandlerContext) {
        if case .exchanging(let exchange) = phase { exchange.body.finish(EdgeError.bodyTruncated) }
        phase = .closed
        pipelined = []
        deadline?.cancel()
        connection?.inbox.finish()
        writer?.resume(throwing: EdgeError.connectionClosed)
        writer = nil
        context.fireChannelInactive()
    }

    // MARK: What arrives

    /// Bytes came in, before they are parsed.
    /// - Returns: whether to parse them.
    func bytesArrived(_ count: Int) -> Bool {
        switch phase {
        case .idle: phase = .readingHead
        case .lingering:
            lingerBytesLeft -= count
            if lingerBytesLeft <= 0 { context?.close(promise: nil) }
            return false
        case .closed: return false
        case .readingHead, .exchanging: break
        }
        return true
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let part = unwrapInboundIn(data)
        if case .exchanging(let exchange) = phase, exchange.receivedEnd {
            pipelined.append(part)
        } else if !pipelined.isEmpty {
            pipelined.append(part)
        } else {
            take(part)
        }
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        if case .readingHead = phase, pipelined.isEmpty, deadline?.awaited != .head { deadline?.wait(for: .head) }
        context.fireChannelReadComplete()
    }

    private func take(_ part: HTTPServerRequestPart) {
        switch (part, phase) {
        case (.head(let head), .idle), (.head(let head), .readingHead): begin(head)
        case (.body(let bytes), .exchanging(let exchange)):
            exchange.expectsContinue = false
            exchange.body.append(bytes)
            if !exchange.headWritten { deadline?.wait(for: .body) }
        case (.end, .exchanging(let exchange)):
            exchange.receivedEnd = true
            if !exchange.headWritten { deadline?.waitForNothing() }
            exchange.body.finish(nil)
        default: break
        }
    }

    private func begin(_ head: HTTPRequestHead) {
        let id = RequestID.choose(proposed: head.headers.first(name: "x-request-id"), time: edge.time, random: edge.random)
        let target = RequestTarget(head.uri)
        if let error = RequestHeadCheck.failure(of: head, refusingExpectations: edge.limits.refusesUnknownExpectations) {
            return fail(error, id: id, target: target)
        }
        guard let connection else { return }
        let body = BodyBuffer(
            capacity: edge.limits.bodyBufferBytes,
            onFirstDemand: { connection.onEventLoop { $0.bodyDemanded() } },
            onRoom: { connection.onEventLoop { $0.bodyHasRoom() } })
        let exchange = Exchange(
            id: id, body: body, isHTTP10: head.version.minor == 0,
            // After a request to switch protocols the decoder reads no further.
            keepsAlive: head.isKeepAlive && head.method != .CONNECT && !head.headers.contains(name: "upgrade"),
            expectsContinue: RequestHeadCheck.expectsContinue(head))
        phase = .exchanging(exchange)
        let hasBody =
            head.headers.contains(name: "transfer-encoding") || head.headers.first(name: "content-length").map { $0 != "0" } ?? false
        if hasBody, !exchange.expectsContinue { deadline?.wait(for: .body) } else { deadline?.waitForNothing() }
        let request = HTTPRequest(
            id: id, method: head.method, target: target, headers: head.headers, body: RequestBody(buffer: body),
            peer: context?.remoteAddress?.ipAddress ?? "", logger: edge.logger)
        // The queue has room for the one request that can be in progress, and is cancelled by nobody.
        _ = try? connection.inbox.offer(HTTPConnection.Incoming(request: request, arrivedAt: edge.time.monotonicNow()))
    }

    /// The request's handler waits for its body: now the client may send it.
    func bodyDemanded() {
        guard case .exchanging(let exchange) = phase, exchange.expectsContinue, !exchange.headWritten, let context else { return }
        exchange.expectsContinue = false
        context.writeAndFlush(wrapOutboundOut(ByteBuffer(string: "HTTP/1.1 100 Continue\r\n\r\n")), promise: nil)
        deadline?.wait(for: .body)
    }

    func bodyHasRoom() {
        if case .exchanging(let exchange) = phase, !exchange.receivedEnd, !exchange.headWritten { deadline?.wait(for: .body) }
        resumeReading()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        guard let parserError = error as? HTTPParserError else { return context.close(promise: nil) }
        let failure: EdgeError
        switch parserError {
        case .headerOverflow: failure = .headerTooLarge
        case .invalidEOFState: failure = .bodyTruncated
        default: failure = .malformedRequest(detail: "\(parserError)")
        }
        switch phase {
        case .exchanging(let exchange) where !exchange.receivedEnd:
            exchange.keepsAlive = false
            if case .malformedRequest(let detail) = failure {
                exchange.body.finish(EdgeError.malformedBody(detail: detail))
            } else {
                exchange.body.finish(failure)
            }
        case .exchanging: pipelinedFailure = failure
        case .idle, .readingHead:
            if !pipelined.isEmpty {
                pipelinedFailure = failure
            } else if failure == .bodyTruncated {
                context.close(promise: nil)
            } else {
                fail(failure)
            }
        case .lingering, .closed: break
        }
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        guard let event = event as? ChannelEvent, event == .inputClosed else {
            return context.fireUserInboundEventTriggered(event)
        }
        inputClosed = true
        switch phase {
        case .idle, .readingHead:
            if pipelined.isEmpty { context.close(promise: nil) }
        case .exchanging(let exchange):
            if !exchange.receivedEnd { exchange.body.finish(EdgeError.bodyTruncated) }
        case .lingering: context.close(promise: nil)
        case .closed: break
        }
    }

    // MARK: Reading only what there is room for

    func read(context: ChannelHandlerContext) {
        if mayRead() {
            context.read()
        } else {
            readHeld = true
        }
    }

    private func mayRead() -> Bool {
        switch phase {
        case .idle, .readingHead: return pipelined.isEmpty
        case .lingering, .closed: return true
        case .exchanging(let exchange):
            if exchange.receivedEnd { return false }
            guard exchange.body.isFull() else { return true }
            if deadline?.awaited == .body { deadline?.waitForNothing() }
            return false
        }
    }

    private func resumeReading() {
        guard readHeld, mayRead(), let context else { return }
        readHeld = false
        context.read()
    }

    // MARK: Responses

    /// Writes a whole response.
    func respond(_ head: ResponseHead, body: ByteBuffer?) {
        guard case .exchanging(let exchange) = phase, !exchange.headWritten, let context else { return }
        var buffer = context.channel.allocator.buffer(capacity: 512 + min(body?.readableBytes ?? 0, Self.joinedBodyBytes))
        writeHead(head, of: exchange, to: &buffer)
        if let body, body.readableBytes > Self.joinedBodyBytes {
            context.write(wrapOutboundOut(buffer), promise: nil)
            buffer = body
        } else if let body {
            buffer.writeImmutableBuffer(body)
        }
        finish(exchange, last: buffer)
    }

    /// Bodies up to this size are copied behind the head, to leave in one piece.
    private static let joinedBodyBytes = 16 * 1024

    /// Writes part of a body; the continuation resumes when the next part may come.
    func write(_ bytes: ByteBuffer, after head: ResponseHead?, _ continuation: CheckedContinuation<Void, any Error>) {
        guard case .exchanging(let exchange) = phase, let context, writer == nil else {
            return continuation.resume(throwing: EdgeError.connectionClosed)
        }
        if let head {
            var buffer = context.channel.allocator.buffer(capacity: 512)
            writeHead(head, of: exchange, to: &buffer)
            context.write(wrapOutboundOut(buffer), promise: nil)
        }
        context.writeAndFlush(wrapOutboundOut(bytes), promise: nil)
        if context.channel.isWritable {
            continuation.resume()
        } else if case .closed = phase {
            // The write itself found the client gone: `channelInactive` has been and will not come again.
            continuation.resume(throwing: EdgeError.connectionClosed)
        } else {
            writer = continuation
            deadline?.wait(for: .responseRead)
        }
    }

    /// The body that ``write(_:after:_:)`` wrote is complete.
    func endResponse() {
        guard case .exchanging(let exchange) = phase, exchange.headWritten else { return }
        finish(exchange, last: ByteBuffer())
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        if context.channel.isWritable {
            if let writer {
                self.writer = nil
                deadline?.waitForNothing()
                writer.resume()
            }
            if case .idle = phase { advance() }
        }
        context.fireChannelWritabilityChanged()
    }

    private func writeHead(_ head: ResponseHead, of exchange: Exchange, to buffer: inout ByteBuffer) {
        exchange.headWritten = true
        // What was not read of the body would have to be read to get at the next request: closing is cheaper and safer.
        exchange.keepsAlive = exchange.keepsAlive && exchange.receivedEnd && !quiescing && !inputClosed
        let connection = exchange.keepsAlive ? (exchange.isHTTP10 ? "keep-alive" : nil) : "close"
        head.write(to: &buffer, requestID: exchange.id, date: currentDate(), connection: connection)
    }

    private func finish(_ exchange: Exchange, last bytes: ByteBuffer) {
        guard let context else { return }
        exchange.body.discard()
        if exchange.keepsAlive, !quiescing, !inputClosed || !pipelined.isEmpty || pipelinedFailure != nil {
            if bytes.readableBytes > 0 { context.writeAndFlush(wrapOutboundOut(bytes), promise: nil) }
            phase = .idle
            deadline?.wait(for: .request)
            advance()
        } else {
            writeLast(bytes)
        }
    }

    /// Writes the end of the last response, says that no more will come, and waits for the client to close.
    private func writeLast(_ bytes: ByteBuffer) {
        guard let context else { return }
        phase = .lingering
        pipelined = []
        deadline?.wait(for: .responseRead)
        let written = context.eventLoop.makePromise(of: Void.self)
        let handler = NIOLoopBound(self, eventLoop: context.eventLoop)
        written.futureResult.whenComplete { _ in handler.value.linger() }
        context.writeAndFlush(wrapOutboundOut(bytes), promise: written)
        resumeReading()
    }

    private func linger() {
        guard case .lingering = phase, let context else { return }
        if inputClosed { return context.close(promise: nil) }
        deadline?.wait(for: .close)
        context.channel.close(mode: .output, promise: nil)
    }

    /// Answers an error that the edge found, where no handler is at work, and ends the connection.
    private func fail(_ error: EdgeError, id: String? = nil, target: RequestTarget? = nil) {
        guard let context else { return }
        let id = id ?? RequestID.choose(proposed: nil, time: edge.time, random: edge.random)
        let response = edge.responder.response(to: error, for: FailedRequest(id: id, target: target))
        var buffer = context.channel.allocator.buffer(capacity: 1_024)
        ResponseHead(response).write(to: &buffer, requestID: id, date: currentDate(), connection: "close")
        var bytesOut = 0
        if case .bytes(let body) = response.body {
            bytesOut = body.readableBytes
            buffer.writeImmutableBuffer(body)
        }
        edge.logAccess(
            AccessRecord(
                id: id, method: "-", route: nil, path: target?.path, status: response.status.code, bytesIn: 0, bytesOut: Int64(bytesOut),
                duration: .zero, outcome: .answered))
        writeLast(buffer)
    }

    /// Begins what was pipelined, once nothing is in progress and the client has taken its responses.
    private func advance() {
        guard let context else { return }
        while case .idle = phase, !pipelined.isEmpty, context.channel.isWritable { feedPipelined() }
        guard case .idle = phase, pipelined.isEmpty else { return }
        if let failure = pipelinedFailure {
            failure == .bodyTruncated ? context.close(promise: nil) : fail(failure)
        } else if inputClosed || quiescing {
            context.close(promise: nil)
        } else {
            resumeReading()
        }
    }

    /// Takes parts up to the end of one request, or all that there are.
    private func feedPipelined() {
        let parts = pipelined
        pipelined = []
        for (index, part) in parts.enumerated() {
            if case .exchanging(let exchange) = phase, exchange.receivedEnd {
                pipelined = Array(parts[index...])
                return
            }
            take(part)
        }
        if inputClosed, case .exchanging(let exchange) = phase, !exchange.receivedEnd {
            exchange.body.finish(EdgeError.bodyTruncated)
        }
        resumeReading()
    }

    // MARK: The end

    func quiesce() {
        quiescing = true
        switch phase {
        case .idle, .readingHead: if pipelined.isEmpty { context?.close(promise: nil) }
        case .exchanging, .lingering, .closed: break
        }
    }

    // MARK: Time

    private func timeOut(_ awaited: ConnectionDeadline.Awaited) {
        switch (awaited, phase) {
        case (.head, .readingHead): fail(.headerTimeout)
        case (.body, .exchanging(let exchange)) where !exchange.receivedEnd:
            exchange.keepsAlive = false
            exchange.body.finish(EdgeError.bodyStalled)
        default: context?.close(promise: nil)
        }
    }

    private func currentDate() -> String {
        let now = edge.time.now()
        let second = now.millisecondsSince1970 / 1_000
        if dateText.second != second { dateText = (second, CalendarDate(now).httpText) }
        return dateText.text
    }
}
