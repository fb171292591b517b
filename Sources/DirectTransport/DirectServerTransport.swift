public import GRPCCore
public import NIOCore
import Synchronization

/// Serves the direct connections among those that another server's listener accepts. Safe to use from any task.
public final class DirectServerTransport: ServerTransport {
    public typealias Bytes = DirectBytes

    private struct State {
        var isShutDown = false
        /// Connections without a call.
        var idle: [ObjectIdentifier: DirectConnection] = [:]
    }

    /// How long a caller that has been answered before it had said all may take to notice.
    private static let noticeTime = TimeAmount.seconds(5)

    private let maximumMessageSize: Int
    private let patience: TimeAmount
    private let state = Mutex(State())
    private let accepted: AsyncStream<DirectConnection>
    private let accepting: AsyncStream<DirectConnection>.Continuation

    /// - Parameters:
    ///   - maximumMessageSize: bytes of a message that is taken.
    ///   - patience: how long a caller may say nothing at all.
    public init(maximumMessageSize: Int, patience: TimeAmount = .seconds(10)) {
        self.maximumMessageSize = maximumMessageSize
        self.patience = patience
        (accepted, accepting) = AsyncStream.makeStream()
    }

    /// Looks what an accepted connection is before the handlers that it has are told of it; those of direct connections never are.
    /// Before `channel` is active.
    public func sort(_ channel: any Channel) -> EventLoopFuture<Void> {
        channel.eventLoop.submit {
            try channel.pipeline.syncOperations.addHandler(ConnectionSorter(server: self, patience: self.patience), position: .first)
        }
    }

    func accept(_ channel: any Channel, behind sorter: ConnectionSorter) throws {
        let connection = try DirectConnection.make(
            on: channel, after: sorter, opening: DirectProtocol.opening, expected: DirectProtocol.opening,
            maximumMessageSize: maximumMessageSize)
        guard case .enqueued = accepting.yield(connection) else { return connection.close() }
    }

    /// Serves until ``beginGracefulShutdown()``, and then what is in progress; when the task is cancelled all connections are closed.
    public func listen(
        streamHandler: @escaping @Sendable (_ stream: RPCStream<Inbound, Outbound>, _ context: ServerContext) async -> Void
    ) async throws {
        await withDiscardingTaskGroup { group in
            for await connection in accepted {
                group.addTask {
                    await withTaskCancellationHandler {
                        await self.serve(connection, streamHandler)
                        try? await connection.waitUntilSent(butFor: 0)
                    } onCancel: {
                        connection.close()
                    }
                    connection.close()
                }
            }
        }
        // Those that came in as it ended.
        for await connection in accepted { connection.close() }
    }

    /// Takes no more connections and no more calls.
    public func beginGracefulShutdown() {
        accepting.finish()
        let idle = state.withLock { state in
            state.isShutDown = true
            return Array(state.idle.values)
        }
        // The end of an answer may still be on its way.
        for connection in idle { connection.stopTaking() }
    }

    /// One call after the other.
    private func serve(
        _ connection: DirectConnection, _ handler: @Sendable (RPCStream<Inbound, Outbound>, ServerContext) async -> Void
    ) async {
        let remotePeer = connection.channel.remoteAddress.map(Self.name) ?? "<unknown>"
        let localPeer = connection.channel.localAddress.map(Self.name) ?? "<unknown>"
        let current = CurrentCall()
        connection.channel.closeFuture.whenComplete { _ in current.cancel() }
        // Whoever never comes to a call is not waited for; whoever has no business here, not again.
        let deadline = connection.channel.eventLoop.scheduleTask(in: patience) { connection.close() }
        while case .call(let method, let metadata)? = await nextCall(on: connection) {
            deadline.cancel()
            guard let descriptor = Self.descriptor(of: method) else { return }
            let requests = DirectRequests(connection: connection, metadata: metadata)
            let stream = RPCStream(
                descriptor: descriptor, inbound: RPCAsyncSequence(wrapping: DirectParts { try await requests.next() }),
                outbound: RPCWriter.Closable(wrapping: DirectResponseWriter(connection: connection, requests: requests)))
            await withServerContextRPCCancellationHandle { cancellation in
                current.begin(cancellation)
                defer { current.end() }
                let context = ServerContext(
                    descriptor: descriptor, remotePeer: remotePeer, localPeer: localPeer, cancellation: cancellation)
                await handler(stream, context)
            }
            guard await isThrough(requests, on: connection), !requests.areStrangers else { return }
        }
    }

    /// Waits for the caller to end its side of a call that is answered. To close the connection on one that still sends would cost it the
    /// answer: TCP drops what a peer has not read when it resets.
    /// - Returns: whether the connection can take the next call.
    private func isThrough(_ requests: DirectRequests, on connection: DirectConnection) async -> Bool {
        if requests.hasEnded { return true }
        let deadline = connection.channel.eventLoop.scheduleTask(in: Self.noticeTime) { connection.close() }
        defer { deadline.cancel() }
        while let frame = try? await connection.next() {
            switch frame {
            case .message: continue
            case .end: return true
            case .call, .metadata, .status: return false
            }
        }
        return false
    }

    private func nextCall(on connection: DirectConnection) async -> DirectFrame? {
        let isWelcome = state.withLock { state in
            if !state.isShutDown { state.idle[ObjectIdentifier(connection)] = connection }
            return !state.isShutDown
        }
        guard isWelcome else { return nil }
        defer { state.withLock { _ = $0.idle.removeValue(forKey: ObjectIdentifier(connection)) } }
        return try? await connection.next()
    }

    /// `service/method`.
    private static func descriptor(of method: String) -> MethodDescriptor? {
        let parts = method.split(separator: "/", maxSplits: 1)
        guard parts.count == 2 else { return nil }
        return MethodDescriptor(fullyQualifiedService: String(parts[0]), method: String(parts[1]))
    }

    /// As gRPC's other transports name it: `ipv4:192.0.2.1:4711`, `ipv6:[2001:db8::1]:4711`.
    private static func name(_ address: NIOCore.SocketAddress) -> String {
        let (host, port) = (address.ipAddress ?? "", address.port ?? 0)
        return switch address {
        case .v4: "ipv4:\(host):\(port)"
        case .v6: "ipv6:[\(host)]:\(port)"
        case .unixDomainSocket: "unix:\(address.pathname ?? "")"
        }
    }
}

/// The call that is to know when its caller hangs up.
private final class CurrentCall: Sendable {
    private struct State {
        var isCancelled = false
        var call: ServerContext.RPCCancellationHandle?
    }

    private let state = Mutex(State())

    func begin(_ call: ServerContext.RPCCancellationHandle) {
        let isCancelled = state.withLock { state in
            state.call = call
            return state.isCancelled
        }
        if isCancelled { call.cancel() }
    }

    func end() { state.withLock { $0.call = nil } }

    func cancel() {
        let call = state.withLock { state in
            state.isCancelled = true
            return state.call
        }
        call?.cancel()
    }
}

/// What comes in for a call.
private final class DirectRequests: Sendable {
    typealias Element = RPCRequestPart<DirectBytes>

    private struct State {
        var metadata: Metadata?
        var hasEnded = false
        var areStrangers = false
    }

    private let connection: DirectConnection
    private let state: Mutex<State>

    init(connection: DirectConnection, metadata: Metadata) {
        self.connection = connection
        state = Mutex(State(metadata: metadata))
    }

    /// Whether the caller has said all.
    var hasEnded: Bool { state.withLock { $0.hasEnded } }

    /// Whether the caller has not shown that it belongs here.
    var areStrangers: Bool { state.withLock { $0.areStrangers } }

    func note(_ status: Status) { if status.code == .unauthenticated { state.withLock { $0.areStrangers = true } } }

    func next() async throws -> Element? {
        let first = state.withLock { state -> Element? in
            defer { state.metadata = nil }
            return state.metadata.map { .metadata($0) }
        }
        if let first { return first }
        if hasEnded { return nil }
        switch try await connection.calling({ try await $0.next() }) {
        case .message(let message): return .message(message)
        case .end:
            state.withLock { $0.hasEnded = true }
            return nil
        case .call, .metadata, .status: throw RPCError(code: .internalError, message: "not what follows in a call")
        }
    }
}

private struct DirectResponseWriter: ClosableRPCWriterProtocol {
    typealias Element = RPCResponsePart<DirectBytes>

    let connection: DirectConnection
    let requests: DirectRequests

    func write(_ part: Element) async throws {
        try await connection.calling {
            switch part {
            case .metadata(let metadata): try await $0.send(.metadata(metadata))
            case .message(let message): try await $0.send(.message(message))
            case .status(let status, let metadata):
                requests.note(status)
                try await $0.send(.status(status, metadata))
            }
        }
    }

    func write(contentsOf parts: some Sequence<Element>) async throws { for part in parts { try await write(part) } }

    func finish() async {}

    func finish(throwing error: any Error) async { connection.close() }
}

extension DirectConnection {
    /// Works with the connection for a call, which ends as gRPC's do when the connection does.
    func calling<Value>(_ body: (DirectConnection) async throws -> Value) async throws -> Value {
        do {
            return try await body(self)
        } catch is Closed {
            throw RPCError(code: .unavailable, message: "the connection was closed")
        }
    }
}
