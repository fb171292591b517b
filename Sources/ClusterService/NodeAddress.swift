internal import Core
internal import GRPCCore
internal import NIOCore
internal import StorageService

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
        guard let host = PeerName.host(of: caller) else {
            throw RPCError(code: .invalidArgument, message: "the node's address \(given) names no host: set advertise")
        }
        return HostPort(host: host, port: address.port)
    }

    private static func isUnspecified(_ host: String) -> Bool {
        // Parsed, because an IPv6 address has many texts.
        guard let address = try? NIOCore.SocketAddress(ipAddress: host, port: 0) else { return false }
        return address.ipAddress == "0.0.0.0" || address.ipAddress == "::"
    }
}
