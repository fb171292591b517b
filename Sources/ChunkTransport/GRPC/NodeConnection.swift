internal import ClusterProtocol
internal import Core
internal import GRPCCore
internal import GRPCNIOTransportHTTP2Posix
internal import NIOCore

/// One HTTP/2 connection to a node, with the settings that both ends need for speed.
final class NodeConnection: Sendable {
    typealias Client = GRPCClient<HTTP2ClientTransport.Posix>

    let client: Client
    /// nil when the node is named by an IP address.
    private let name: NodeName?

    /// - Throws: when gRPC cannot make a transport.
    init(to address: HostPort, time: any TimeSource) throws {
        let config = HTTP2ClientTransport.Posix.Config.defaults { config in
            config.http2.maxFrameSize = ClusterTransportSettings.frameSize
            config.http2.targetWindowSize = ClusterTransportSettings.windowSize
            // A node that is back is used again within about a second.
            config.backoff = .init(initial: .milliseconds(100), max: .seconds(1), multiplier: 1.6, jitter: 0.2)
            config.connection.maxIdleTime = nil
            // A machine that has gone says nothing: after 15 s without an answer the connection is given up.
            config.connection.keepalive = .init(time: .seconds(10), timeout: .seconds(5), allowWithoutCalls: true)
        }
        let target: any ResolvableTarget
        switch try? NIOCore.SocketAddress(ipAddress: address.host, port: address.port) {
        case .v4: (target, name) = (.ipv4(address: address.host, port: address.port), nil)
        case .v6: (target, name) = (.ipv6(address: address.host, port: address.port), nil)
        default:
            let name = NodeName(address, time: time)
            (target, self.name) = (name, name)
        }
        var resolvers = NameResolverRegistry.defaults
        resolvers.registerFactory(NodeNameResolvers())
        client = GRPCClient(
            transport: try HTTP2ClientTransport.Posix(
                target: target, transportSecurity: .plaintext, config: config, resolverRegistry: resolvers),
            interceptors: [TracePropagation(), RequestPropagation()])
    }

    /// Says that the other side could not be reached: its name is looked up again.
    /// - Parameter detail: what was seen of it.
    /// - Returns: `detail`, or that the name is the trouble.
    func failed(_ detail: String) -> String {
        guard let name else { return detail }
        name.doubt()
        return name.isUnknown ? "the name \(name.host) does not resolve" : detail
    }
}
