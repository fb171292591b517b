internal import Core
internal import GRPCCore
internal import GRPCNIOTransportHTTP2Posix
import Synchronization

/// The addresses of one node's name, looked up again whenever the node cannot be reached.
///
/// gRPC's own resolver waits up to two minutes after a name was not found, and keeps the channel waiting with it. Names come
/// and go with containers, so this one asks again within a second, and knows whether the name is the trouble.
final class NodeName: ResolvableTarget, Sendable {
    private struct State {
        var addresses: [SocketAddress]?
        var isUnknown = false
    }

    /// Between two questions to the name service.
    private static let pause = Duration.milliseconds(500)
    /// How long an answer is taken to hold while the node answers.
    private static let lifetime = Duration.seconds(60)
    /// Nobody listens on port 0: calls fail at once, as to a node that is away, until the name is known.
    private static let nowhere = [SocketAddress.ipv4(host: "127.0.0.1", port: 0)]

    let host: String
    let port: Int
    private let time: any TimeSource
    private let state = Mutex(State())
    private let doubted = Signal()

    init(_ address: HostPort, time: any TimeSource) {
        host = address.host
        port = address.port
        self.time = time
    }

    /// Whether the last look-up found nothing.
    var isUnknown: Bool { state.withLock { $0.isUnknown } }

    /// Says that a call could not reach the node.
    func doubt() { doubted.raise() }

    /// The addresses whenever they have changed.
    fileprivate var results: AsyncThrowingStream<NameResolutionResult, any Error> {
        AsyncThrowingStream { try await self.next() }
    }

    private func next() async throws -> NameResolutionResult? {
        var isFirst = state.withLock { $0.addresses == nil }
        while true {
            if !isFirst {
                try await time.sleep(for: Self.pause)
                if !isUnknown { try await doubted.wait(atMost: Self.lifetime, time: time) }
            }
            isFirst = false
            let found = try await lookUp()
            let changed = state.withLock { state in
                state.isUnknown = found == nil
                // A name that is no longer known may come back with the address that it had.
                let addresses = found ?? state.addresses ?? Self.nowhere
                defer { state.addresses = addresses }
                return addresses == state.addresses ? nil : addresses
            }
            if let changed { return NameResolutionResult(endpoints: [Endpoint(addresses: changed)], serviceConfig: nil) }
        }
    }

    private func lookUp() async throws -> [SocketAddress]? {
        var answers = NameResolvers.DNS().resolver(for: .dns(host: host, port: port)).names.makeAsyncIterator()
        do {
            let addresses = try await answers.next()?.endpoints.flatMap(\.addresses) ?? []
            return addresses.isEmpty ? nil : addresses
        } catch is CancellationError {
            throw CancellationError()
        } catch {
            return nil
        }
    }
}

/// Lets gRPC take a ``NodeName`` for a target.
struct NodeNameResolvers: NameResolverFactory {
    func resolver(for name: NodeName) -> NameResolver {
        NameResolver(
            names: RPCAsyncSequence(wrapping: name.results), updateMode: .push,
            authority: HostPort(host: name.host, port: name.port).description)
    }
}
