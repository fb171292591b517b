internal import Core

/// gRPC's name of who is at the other end of a connection.
package enum PeerName {
    /// The IP address in `ipv4:192.0.2.1:4711` or `ipv6:[2001:db8::1]:4711`; nil for a peer without one.
    package static func host(of peer: String) -> String? {
        let parts = peer.split(separator: ":", maxSplits: 1)
        guard parts.count == 2, ["ipv4", "ipv6"].contains(parts[0]), let host = HostPort(String(parts[1]))?.host else { return nil }
        // How a socket for both protocols shows a caller that came by IPv4.
        let mapped = "::ffff:"
        return host.hasPrefix(mapped) && host.contains(".") ? String(host.dropFirst(mapped.count)) : host
    }
}
