internal import Core
internal import GRPCCore
internal import NIOCore
import Synchronization

/// One end of a direct connection, for the tasks that work with it: frames in and out, with back-pressure both ways.
///
/// One task sends and one takes at a time. Safe to use from any thread.
final class DirectConnection: Sendable {
    /// The connection has gone, or was given up.
    struct Closed: Error {}

    /// Frames that wait to be taken. Until there is room again nothing more is read.
    private static let framesAhead = 1
    /// Bytes that wait to be sent before ``send(_:)`` waits.
    private static let bytesAhead = 1024 * 1024

    private struct Outbound {
        var waiting = 0
        var isClosed = false
        /// Waits until no more than `limit` bytes wait.
        var sender: (limit: Int, continuation: CheckedContinuation<Void, any Error>)?
    }

    let channel: any Channel
    /// Whether the other end has said first what it should have. Fails with ``Closed``.
    let opened: EventLoopFuture<Bool>
    private let handler: NIOLoopBound<DirectHandler>
    private let frames = BoundedQueue<DirectFrame>(capacity: DirectConnection.framesAhead)
    private let outbound = Mutex(Outbound())
    /// Whether the handler has something for the queue, or wants to read, and waits for room in it.
    private let isHeldBack = Atomic(false)

    /// Makes a channel a direct connection. On its event loop.
    /// - Parameters:
    ///   - opening: what this end has to say first.
    ///   - expected: what the other end has to say first.
    static func make(
        on channel: any Channel, after predecessor: (any ChannelHandler)? = nil, opening: [UInt8], expected: [UInt8],
        maximumMessageSize: Int
    ) throws -> DirectConnection {
        let handler = DirectHandler(
            opening: opening, expected: expected, maximumMessageSize: maximumMessageSize,
            opened: channel.eventLoop.makePromise(of: Bool.self))
        let connection = DirectConnection(channel, handler)
        handler.connection = connection
        let pipeline = channel.pipeline.syncOperations
        try pipeline.addHandler(handler, position: predecessor.map { .after($0) } ?? .last)
        channel.setOption(.recvAllocator, value: MessageRoom(handler: connection.handler)).whenFailure { _ in channel.close(promise: nil) }
        channel.setOption(.maxMessagesPerRead, value: 1).whenFailure { _ in channel.close(promise: nil) }
        for (option, value) in options { channel.setOption(option, value: value).whenFailure { _ in channel.close(promise: nil) } }
        return connection
    }

    /// Small frames go at once, and a machine that has gone, and so says nothing, is noticed within half a minute.
    private static var options: [(ChannelOptions.Types.SocketOption, ChannelOptions.Types.SocketOption.Value)] {
        var options: [(ChannelOptions.Types.SocketOption, ChannelOptions.Types.SocketOption.Value)] = []
        options.append((.tcpOption(.tcp_nodelay), 1))
        options.append((.socketOption(.so_keepalive), 1))
        #if os(Linux)
            // After 10 s in which nothing came every 5 s, 3 times: TCP_KEEPIDLE, TCP_KEEPINTVL and TCP_KEEPCNT of Linux.
            for (name, value) in [(4, 10), (5, 5), (6, 3)] as [(CInt, ChannelOptions.Types.SocketOption.Value)] {
                options.append((ChannelOptions.Types.SocketOption(level: .tcp, name: .init(rawValue: name)), value))
            }
        #endif
        return options
    }

    private init(_ channel: any Channel, _ handler: DirectHandler) {
        self.channel = channel
        self.handler = NIOLoopBound(handler, eventLoop: channel.eventLoop)
        opened = handler.opened.futureResult
    }

    /// Nobody takes any more: ``next()`` throws ``Closed``, whoever waits in it too. What was sent goes on its way.
    func stopTaking() {
        frames.cancel()
        // It may hold what there was no room for, and wait for room.
        channel.eventLoop.execute { self.handler.value.goOn() }
    }

    /// Nobody takes or sends any more. What waits to be sent is dropped.
    func close() {
        stopTaking()
        channel.close(promise: nil)
    }

    // MARK: Taking

    /// The next frame.
    /// - Throws: ``Closed``, or `CancellationError`.
    func next() async throws -> DirectFrame {
        let frame: DirectFrame?
        do {
            if let queued = frames.nextIfQueued() { frame = queued } else { frame = try await frames.next() }
        } catch is BoundedQueue<DirectFrame>.Cancelled {
            throw Closed()
        }
        if isHeldBack.exchange(false, ordering: .sequentiallyConsistent) { channel.eventLoop.execute { self.handler.value.goOn() } }
        guard let frame else { throw Closed() }
        return frame
    }

    /// Takes a frame from the handler. On the event loop.
    /// - Returns: false when there is no room: the handler is asked to ``DirectHandler/goOn()`` when there is.
    fileprivate func offer(_ frame: DirectFrame) -> Bool {
        // Whoever took no more has closed the connection.
        if (try? frames.offer(frame)) ?? true { return true }
        isHeldBack.store(true, ordering: .sequentiallyConsistent)
        // Room may have come about in between.
        guard !frames.isFull, isHeldBack.exchange(false, ordering: .sequentiallyConsistent) else { return false }
        return (try? frames.offer(frame)) ?? true
    }

    /// Whether to read on. On the event loop.
    fileprivate func hasRoom() -> Bool {
        if !frames.isFull { return true }
        isHeldBack.store(true, ordering: .sequentiallyConsistent)
        return !frames.isFull && isHeldBack.exchange(false, ordering: .sequentiallyConsistent)
    }

    /// Nothing more comes in.
    fileprivate func finish() { frames.finish(throwing: Closed()) }

    /// Nothing more goes out.
    fileprivate func endSending() {
        let sender = outbound.withLock { outbound in
            outbound.isClosed = true
            defer { outbound.sender = nil }
            return outbound.sender
        }
        sender?.continuation.resume(throwing: Closed())
    }

    // MARK: Sending

    /// Sends frames, in order, with as few system calls as may be; returns when not too much of them waits to be sent.
    /// - Throws: ``Closed``, or `CancellationError`.
    func send(_ frames: DirectFrame...) async throws {
        let parts = frames.flatMap { $0.encoded() }
        let byteCount = parts.reduce(0) { $0 + $1.readableBytes }
        let mustWait = try outbound.withLock { outbound in
            if outbound.isClosed { throw Closed() }
            outbound.waiting += byteCount
            return outbound.waiting > Self.bytesAhead
        }
        channel.eventLoop.execute { self.handler.value.write(parts, of: frames, byteCount) }
        if mustWait { try await waitUntilSent(butFor: Self.bytesAhead) }
    }

    /// Waits until no more than `limit` bytes wait to be sent.
    /// - Throws: ``Closed``, or `CancellationError`.
    func waitUntilSent(butFor limit: Int) async throws {
        try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { continuation in
                let outcome: Result<Void, any Error>? = outbound.withLock { outbound in
                    if outbound.isClosed { return .failure(Closed()) }
                    if Task.isCancelled { return .failure(CancellationError()) }
                    if outbound.waiting <= limit { return .success(()) }
                    outbound.sender = (limit, continuation)
                    return nil
                }
                if let outcome { continuation.resume(with: outcome) }
            }
        } onCancel: {
            let sender = outbound.withLock { outbound in
                defer { outbound.sender = nil }
                return outbound.sender
            }
            sender?.continuation.resume(throwing: CancellationError())
        }
    }

    fileprivate func noteSent(_ byteCount: Int) {
        let sender = outbound.withLock { outbound -> CheckedContinuation<Void, any Error>? in
            outbound.waiting -= byteCount
            guard let sender = outbound.sender, outbound.waiting <= sender.limit else { return nil }
            outbound.sender = nil
            return sender.continuation
        }
        sender?.resume()
    }
}

/// Where a connection's bytes are written as they come in: what belongs to a message, right behind what has come of it.
private struct MessageRoom: RecvByteBufferAllocator {
    /// A message's beginning, or a small one and what goes with it.
    private static let byteCount = 64 * 1024

    let handler: NIOLoopBound<DirectHandler>

    func buffer(allocator: ByteBufferAllocator) -> ByteBuffer { handler.value.room() ?? allocator.buffer(capacity: Self.byteCount) }

    /// - Returns: that the next buffer is not the same again.
    func record(actualReadBytes: Int) -> Bool { true }
}

/// The part of a connection on its event loop.
final class DirectHandler: ChannelDuplexHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundIn = Never
    typealias OutboundOut = IOData

    fileprivate var connection: DirectConnection?
    private let opening: [UInt8]
    private let expected: [UInt8]
    fileprivate let opened: EventLoopPromise<Bool>
    private var context: ChannelHandlerContext?
    private var decoder: DirectDecoder
    /// What the other end has said of ``expected``; nil when it was that.
    private var heard: [UInt8]? = []
    /// Came in and not cut into frames yet, or one that there was no room for.
    private var unread = ByteBuffer()
    private var frame: DirectFrame?
    private var isReadWithheld = false
    private var isFlushDue = false
    private var isClosed = false
    /// Whether the network reads once more for having been asked to, and so for one buffer at least has something to write to it.
    private var isReadDue = false
    /// Whether the decoder has lent a buffer that has not come back.
    private var isLent = false

    fileprivate init(opening: [UInt8], expected: [UInt8], maximumMessageSize: Int, opened: EventLoopPromise<Bool>) {
        self.opening = opening
        self.expected = expected
        self.opened = opened
        decoder = DirectDecoder(maximumMessageSize: maximumMessageSize)
    }

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
        if context.channel.isActive { open(context) }
    }

    func channelActive(context: ChannelHandlerContext) { open(context) }

    private func open(_ context: ChannelHandlerContext) {
        context.writeAndFlush(wrapOutboundOut(.byteBuffer(ByteBuffer(bytes: opening))), promise: nil)
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        self.context = nil
        end()
    }

    // Nothing of what happens is of interest to a handler behind this one.

    func channelInactive(context: ChannelHandlerContext) { end() }

    private func end() {
        isClosed = true
        connection?.endSending()
        // What has come in can be taken still.
        deliver()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }

    func channelReadComplete(context: ChannelHandlerContext) {}

    func channelWritabilityChanged(context: ChannelHandlerContext) {}

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {}

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard !isClosed else { return }
        var bytes = unwrapInboundIn(data)
        if isLent {
            isLent = false
            unread = decoder.takeBack(bytes)
            return deliver()
        }
        guard isOpened(by: &bytes) else { return }
        if unread.readableBytes == 0 { unread = bytes } else { unread.writeImmutableBuffer(bytes) }
        deliver()
    }

    /// Reads what the other end says first.
    /// - Returns: whether that was all.
    private func isOpened(by bytes: inout ByteBuffer) -> Bool {
        guard var heard else { return true }
        heard += bytes.readBytes(length: min(bytes.readableBytes, expected.count - heard.count)) ?? []
        guard expected.starts(with: heard) else {
            opened.succeed(false)
            context?.close(promise: nil)
            return false
        }
        self.heard = heard.count == expected.count ? nil : heard
        guard self.heard == nil else { return false }
        opened.succeed(true)
        return true
    }

    /// Hands over all that there is room for.
    private func deliver() {
        guard let connection else { return }
        do {
            while true {
                if frame == nil { frame = try decoder.next(from: &unread) }
                guard let next = frame else { break }
                frame = nil
                guard connection.offer(next) else {
                    frame = next
                    return
                }
            }
            // Even empty it is a reference to a message's bytes.
            unread = ByteBuffer()
        } catch {
            // What follows has no meaning.
            unread.clear()
            isClosed = true
            connection.endSending()
            context?.close(promise: nil)
        }
        guard isClosed else { return }
        self.connection = nil
        connection.finish()
        opened.fail(DirectConnection.Closed())
    }

    /// There is room again.
    fileprivate func goOn() {
        deliver()
        guard frame == nil, isReadWithheld, let context, connection?.hasRoom() == true else { return }
        isReadWithheld = false
        isReadDue = true
        context.read()
    }

    func read(context: ChannelHandlerContext) {
        guard frame == nil, connection?.hasRoom() ?? true else {
            isReadWithheld = true
            return
        }
        isReadDue = true
        context.read()
    }

    /// Where to write what is read next, if it is known to belong to a message.
    fileprivate func room() -> ByteBuffer? {
        if isLent {
            // The system said that there was something, and there was nothing: the buffer went with what was in it.
            isLent = false
            isClosed = true
            context.map { context in context.eventLoop.assumeIsolated().execute { context.close(promise: nil) } }
        }
        // Once for each time that was asked for: more is tried then, and may find nothing.
        guard isReadDue, !isClosed else { return nil }
        isReadDue = false
        guard let room = decoder.lend() else { return nil }
        isLent = true
        return room
    }

    fileprivate func write(_ parts: [IOData], of frames: [DirectFrame], _ byteCount: Int) {
        guard let connection else { return }
        guard let context, !isClosed else { return connection.noteSent(byteCount) }
        for part in parts.dropLast() { context.write(wrapOutboundOut(part), promise: nil) }
        let promise = context.eventLoop.makePromise(of: Void.self)
        // Until then the frames have to live: a part may be in a file of theirs.
        promise.futureResult.whenComplete { result in
            if case .failure(let error) = result { for frame in frames { frame.noteFailure(error) } }
            withExtendedLifetime(frames) { connection.noteSent(byteCount) }
        }
        context.write(wrapOutboundOut(parts[parts.count - 1]), promise: promise)
        guard !isFlushDue else { return }
        isFlushDue = true
        // Behind all that was sent with it.
        context.eventLoop.assumeIsolated().execute {
            self.isFlushDue = false
            self.context?.flush()
        }
    }
}
