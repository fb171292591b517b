internal import Core
internal import GRPCCore
internal import NIOCore

/// Where a node is reached that may not know it itself.
enum NodeAddress {
    /// - Parameters:
    ///   - given: what the node says, `host:port`. A node that listens on every address of its machine names none of them.
    ///   - caller: gRPC's name of the peer that the call came from, for the host that is missing.
    /// - Throws: `invalidArgument` when neither gives an address.
    static func reachable(_ given: String, caller: String) throws -> HostPort {
        guard let address = HostPort(given.hasPrefix(":") ? "0.0.0.0\(given)" : given), address.port > 0 else {
            throw RPCError(code: .invalidArgument, message: "the node's address is not host:port with a port from 1 to 65535")
        }
        guard isUnspecified(address.host) else { return address }
        guard let host = host(ofPeer: caller) else {
            throw RPCError(code: .invalidArgument, message: "the node's address \(given) names no host: set advertise")
        }
        return HostPort(host: host, port: address.port)
    }

    private static func isUnspecified(_ host: String) -> Bool {
        // Parsed, because an IPv6 address has many texts.
        guard let address = try? NIOCore.SocketAddress(ipAddress: host, port: 0) else { return false }
        return address.ipAddress == "0.0.0.0" || address.ipAddress == "::"
    }

    /// The IP address in `ipv4:192.0.2.1:4711` or `ipv6:[2001:db8::1]:4711`; nil for a peer without one.
    static func host(ofPeer peer: String) -> String? {
        let parts = peer.split(separator: ":", maxSplits: 1)
        guard parts.count == 2, ["ipv4", "ipv6"].contains(parts[0]), let host = HostPort(String(parts[1]))?.host else { return nil }
        // How a socket for both protocols shows a caller that came by IPv4.
        let mapped = "::ffff:"
        return host.hasPrefix(mapped) && host.contains(".") ? String(host.dropFirst(mapped.count)) : host
    }
}
