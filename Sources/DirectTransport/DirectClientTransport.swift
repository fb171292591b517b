public import Core
public import GRPCCore
internal import NIOCore
internal import NIOPosix
import Synchronization

/// Direct connections to one server, as many as there are calls at a time; those without a call are kept for the next.
///
/// A connection is made when a call needs one. A call that is given up closes its own. Safe to use from any task.
public final class DirectClientTransport: ClientTransport {
    public typealias Bytes = DirectBytes

    /// Connections kept without a call.
    private static let maximumIdle = 128
    /// After a connection could not be made, how long calls fail at once.
    private static let pauseAfterFailure = Duration.seconds(1)
    /// How long a server that does not know direct connections is not asked again.
    private static let pauseAfterRefusal = Duration.seconds(60)
    /// How long the end of a call that was answered may take to arrive.
    private static let endingTime = TimeAmount.seconds(5)

    private struct State {
        var idle: [DirectConnection] = []
        var inUse: [ObjectIdentifier: DirectConnection] = [:]
        var isShutDown = false
        var failure: (error: RPCError, at: MonotonicInstant)?
        /// When the server last answered as one that does, or does not, know direct connections.
        var answer: (isUnderstood: Bool, at: MonotonicInstant)?
    }

    private let dialer: DirectDialer
    private let time: any TimeSource
    private let state = Mutex(State())
    private let stopped = Signal()

    public let retryThrottle: RetryThrottle? = nil

    /// - Parameters:
    ///   - address: of the server; a name is looked up whenever a connection is made.
    ///   - maximumMessageSize: bytes of a message that is taken.
    public init(to address: HostPort, maximumMessageSize: Int, time: any TimeSource) {
        dialer = DirectDialer(address: address, maximumMessageSize: maximumMessageSize)
        self.time = time
    }

    /// Whether the server knows direct connections, which it is asked where that is not known yet. One that cannot be reached does, until
    /// it says otherwise.
    public func isUnderstood() async -> Bool {
        if let known = state.withLock({ $0.answer }) {
            if known.isUnderstood { return true }
            if time.monotonicNow() - known.at < Self.pauseAfterRefusal { return false }
        }
        do {
            keep(try await take().connection)
            return true
        } catch let error as RPCError {
            return !(error.cause is DirectDialer.NotUnderstood)
        } catch {
            return true
        }
    }

    public func config(forMethod descriptor: MethodDescriptor) -> MethodConfig? { nil }

    /// Waits for the shutdown; when the task is cancelled all calls are cut off.
    public func connect() async throws {
        defer { closeAll() }
        try await stopped.wait()
        while state.withLock({ !$0.inUse.isEmpty }) { try await stopped.wait() }
    }

    public func beginGracefulShutdown() {
        let idle = state.withLock { state in
            state.isShutDown = true
            defer { state.idle = [] }
            return state.idle
        }
        for connection in idle { connection.close() }
        stopped.raise()
    }

    private func closeAll() {
        let connections = state.withLock { state in
            state.isShutDown = true
            defer { state.idle = [] }
            return state.idle + state.inUse.values
        }
        for connection in connections { connection.close() }
    }

    public func withStream<Value: Sendable>(
        descriptor: MethodDescriptor, options: CallOptions,
        _ body: (_ stream: RPCStream<Inbound, Outbound>, _ context: ClientContext) async throws -> Value
    ) async throws -> Value {
        let (connection, isReused) = try await take()
        let call = DirectCall(on: connection)
        let stream = RPCStream(
            descriptor: descriptor, inbound: RPCAsyncSequence(wrapping: DirectParts { try await call.next() }),
            outbound: RPCWriter.Closable(wrapping: DirectRequestWriter(call: call, method: descriptor)))
        let context = ClientContext(
            descriptor: descriptor, remotePeer: connection.channel.remoteAddress.map { "\($0)" } ?? "",
            localPeer: connection.channel.localAddress.map { "\($0)" } ?? "")
        do {
            let value = try await body(stream, context)
            await giveBack(connection, after: call)
            return value
        } catch {
            discard(connection)
            // The others have been idle for as long, and the network, or the server, has forgotten them too.
            if isReused, !call.hasHeard, !Task.isCancelled { closeIdle() }
            throw error
        }
    }

    // MARK: Connections

    private func take() async throws -> (connection: DirectConnection, isReused: Bool) {
        let now = time.monotonicNow()
        let placement = ConnectionPlacement.current
        let kept = try state.withLock { state throws -> DirectConnection? in
            if state.isShutDown { throw RPCError(code: .failedPrecondition, message: "shut down") }
            state.idle.removeAll { !$0.channel.isActive }
            let failure = state.failure.flatMap { now - $0.at < Self.pauseAfterFailure ? $0.error : nil }
            if let index = state.idle.lastIndex(where: { failure != nil || placement.accepts($0.channel.eventLoop) }) {
                let connection = state.idle.remove(at: index)
                state.inUse[ObjectIdentifier(connection)] = connection
                return connection
            }
            if let failure { throw failure }
            return nil
        }
        if let kept { return (kept, true) }
        return (try await make(), false)
    }

    private func make() async throws -> DirectConnection {
        let connection: DirectConnection
        do {
            connection = try await dialer.dial()
        } catch let error as CancellationError {
            // Nothing is known of the server.
            throw error
        } catch {
            throw noteFailure(error)
        }
        let answeredAt = time.monotonicNow()
        let isWanted = state.withLock { state in
            state.failure = nil
            state.answer = (true, answeredAt)
            if !state.isShutDown { state.inUse[ObjectIdentifier(connection)] = connection }
            return !state.isShutDown
        }
        guard isWanted else {
            connection.close()
            throw RPCError(code: .failedPrecondition, message: "shut down")
        }
        return connection
    }

    private func noteFailure(_ error: any Error) -> RPCError {
        let now = time.monotonicNow()
        return state.withLock { state in
            // What takes HTTP/2 only may also close a connection that begins with something else, or wait for more.
            let isClosed = error is DirectConnection.Closed && state.answer?.isUnderstood != true
            if isClosed || error is DirectDialer.NotUnderstood {
                state.answer = (false, now)
                return RPCError(
                    code: .unavailable, message: "the server does not know direct connections", cause: DirectDialer.NotUnderstood())
            }
            let failure = RPCError(code: .unavailable, message: "\(error)", cause: error)
            state.failure = (failure, now)
            return failure
        }
    }

    private func closeIdle() {
        let idle = state.withLock { state in
            defer { state.idle = [] }
            return state.idle
        }
        for connection in idle { connection.close() }
    }

    /// Keeps a connection whose call has come to its end on both sides.
    private func giveBack(_ connection: DirectConnection, after call: DirectCall) async {
        // The end of an answer follows the last that its reader takes; a caller that took less does without the connection.
        let deadline = connection.channel.eventLoop.scheduleTask(in: Self.endingTime) { connection.close() }
        defer { deadline.cancel() }
        guard await call.hasEnded() else { return discard(connection) }
        keep(connection)
    }

    /// Keeps a connection without a call.
    private func keep(_ connection: DirectConnection) {
        let superfluous = state.withLock { state -> DirectConnection? in
            state.inUse[ObjectIdentifier(connection)] = nil
            if state.isShutDown { return connection }
            state.idle.append(connection)
            return state.idle.count > Self.maximumIdle ? state.idle.removeFirst() : nil
        }
        superfluous?.close()
        noteEnd()
    }

    private func discard(_ connection: DirectConnection) {
        connection.close()
        state.withLock { $0.inUse[ObjectIdentifier(connection)] = nil }
        noteEnd()
    }

    private func noteEnd() { if state.withLock({ $0.isShutDown && $0.inUse.isEmpty }) { stopped.raise() } }
}

/// A call as its caller sees it.
private final class DirectCall: Sendable {
    private struct State {
        var hasAsked = false
        var hasHeard = false
        var hasAnswer = false
        /// The server closes the connection then.
        var isStranger = false
    }

    let connection: DirectConnection
    private let state = Mutex(State())

    init(on connection: DirectConnection) { self.connection = connection }

    /// Whether anything has come of the answer.
    var hasHeard: Bool { state.withLock { $0.hasHeard } }

    func next() async throws -> RPCResponsePart<DirectBytes>? {
        if state.withLock({ $0.hasAnswer }) { return nil }
        let frame = try await connection.calling { try await $0.next() }
        state.withLock { $0.hasHeard = true }
        switch frame {
        case .metadata(let metadata): return .metadata(metadata)
        case .message(let message): return .message(message)
        case .status(let status, let metadata):
            state.withLock { state in
                state.hasAnswer = true
                state.isStranger = status.code == .unauthenticated
            }
            return .status(status, metadata)
        case .call, .end: throw RPCError(code: .internalError, message: "not what follows in an answer")
        }
    }

    func finish() async {
        do {
            try await connection.send(.end)
            state.withLock { $0.hasAsked = true }
        } catch {
            connection.close()
        }
    }

    /// Waits for the end of the answer, if nothing else is to come.
    /// - Returns: whether both sides have said all, and the connection is good for another call.
    func hasEnded() async -> Bool {
        guard state.withLock({ $0.hasAsked && !$0.isStranger }) else { return false }
        if state.withLock({ $0.hasAnswer }) { return true }
        guard case .status(let status, _)? = try? await connection.next() else { return false }
        return status.code != .unauthenticated
    }
}

private struct DirectRequestWriter: ClosableRPCWriterProtocol {
    typealias Element = RPCRequestPart<DirectBytes>

    let call: DirectCall
    let method: MethodDescriptor

    func write(_ part: Element) async throws {
        try await call.connection.calling {
            switch part {
            case .metadata(let metadata): try await $0.send(.call(method: method.fullyQualifiedMethod, metadata: metadata))
            case .message(let message): try await $0.send(.message(message))
            }
        }
    }

    func write(contentsOf parts: some Sequence<Element>) async throws { for part in parts { try await write(part) } }

    func finish() async { await call.finish() }

    func finish(throwing error: any Error) async { call.connection.close() }
}
