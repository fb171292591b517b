internal import Core
internal import NIOCore
internal import NIOPosix
import Synchronization

/// Makes connections to one server.
struct DirectDialer: Sendable {
    /// What the server has said first is not what a server says that knows direct connections.
    struct NotUnderstood: Error {}

    /// For TCP, and again for the server's first bytes.
    private static let timeout = TimeAmount.seconds(5)

    let address: HostPort
    let maximumMessageSize: Int

    /// A connection on which both ends have said what they say first. Whoever is cancelled does not wait for the network.
    /// - Throws: ``NotUnderstood``, ``DirectConnection/Closed`` when the server has said nothing, `CancellationError`, what NIO throws.
    func dial() async throws -> DirectConnection {
        let connection = try await connect()
        let deadline = connection.channel.eventLoop.scheduleTask(in: Self.timeout) { connection.close() }
        defer { deadline.cancel() }
        do {
            let isUnderstood = try await withTaskCancellationHandler {
                try await connection.opened.get()
            } onCancel: {
                connection.close()
            }
            guard isUnderstood else { throw NotUnderstood() }
            return connection
        } catch {
            connection.close()
            if Task.isCancelled { throw CancellationError() }
            throw error
        }
    }

    private func connect() async throws -> DirectConnection {
        let made = MadeConnections()
        let bootstrap = ClientBootstrap(group: ConnectionPlacement.current.loop(of: .singleton))
            .connectTimeout(Self.timeout)
            .channelInitializer { [maximumMessageSize] channel in
                channel.eventLoop.makeCompletedFuture {
                    made.add(
                        try DirectConnection.make(
                            on: channel, opening: DirectProtocol.opening, expected: DirectProtocol.opening,
                            maximumMessageSize: maximumMessageSize))
                }
            }
        let channel: EventLoopFuture<any Channel>
        if let literal = try? SocketAddress(ipAddress: address.host, port: address.port) {
            channel = bootstrap.connect(to: literal)
        } else {
            channel = bootstrap.connect(host: address.host, port: address.port)
        }
        let outcome = Outcome()
        channel.flatMapThrowing { channel in
            guard let connection = made.connection(on: channel) else { throw DirectConnection.Closed() }
            return connection
        }.whenComplete { result in
            if !outcome.complete(result), case .success(let connection) = result { connection.close() }
        }
        return try await outcome.wait()
    }
}

/// Those of the channels that were tried: a name may have several addresses.
private final class MadeConnections: Sendable {
    private let connections = Mutex<[ObjectIdentifier: DirectConnection]>([:])

    func add(_ connection: DirectConnection) { connections.withLock { $0[ObjectIdentifier(connection.channel)] = connection } }

    func connection(on channel: any Channel) -> DirectConnection? { connections.withLock { $0[ObjectIdentifier(channel)] } }
}

/// What comes of connecting, for one who may not want to wait for it.
private final class Outcome: Sendable {
    private struct State {
        var result: Result<DirectConnection, any Error>?
        var isAbandoned = false
        var waiter: CheckedContinuation<DirectConnection, any Error>?
    }

    private let state = Mutex(State())

    /// - Returns: false when nobody waits any more.
    func complete(_ result: Result<DirectConnection, any Error>) -> Bool {
        let (waiter, isWanted) = state.withLock { state in
            if state.isAbandoned { return (nil as CheckedContinuation<DirectConnection, any Error>?, false) }
            state.result = result
            defer { state.waiter = nil }
            return (state.waiter, true)
        }
        waiter?.resume(with: result)
        return isWanted
    }

    func wait() async throws -> DirectConnection {
        try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { continuation in
                let result = state.withLock { state -> Result<DirectConnection, any Error>? in
                    if let result = state.result { return result }
                    if Task.isCancelled { state.isAbandoned = true }
                    if state.isAbandoned { return .failure(CancellationError()) }
                    state.waiter = continuation
                    return nil
                }
                if let result { continuation.resume(with: result) }
            }
        } onCancel: {
            let waiter = state.withLock { state -> CheckedContinuation<DirectConnection, any Error>? in
                guard state.result == nil else { return nil }
                state.isAbandoned = true
                defer { state.waiter = nil }
                return state.waiter
            }
            waiter?.resume(throwing: CancellationError())
        }
    }
}
