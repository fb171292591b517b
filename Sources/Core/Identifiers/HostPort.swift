/// Where a server listens, or is reached: a host name or an IP address, and a TCP port.
///
/// Its text is `host:port`, with an IPv6 address in brackets: `storage1:9001`, `127.0.0.1:0`, `[::1]:8080`.
public struct HostPort: Hashable, Sendable, LosslessStringConvertible {
    /// Without brackets.
    public let host: String
    /// 0...65535; 0 asks for any free port when listening and cannot be connected to.
    public let port: Int

    /// - Precondition: `port` is in 0...65535.
    public init(host: String, port: Int) {
        precondition((0...65_535).contains(port), "a TCP port is a number from 0 to 65535")
        self.host = host
        self.port = port
    }

    /// - Returns: nil for anything but `host:port`. The name is not resolved.
    public init?(_ text: String) {
        guard let colon = text.lastIndex(of: ":") else { return nil }
        let digits = text[text.index(after: colon)...]
        guard !digits.isEmpty, digits.utf8.count <= 5, digits.utf8.allSatisfy({ (0x30...0x39).contains($0) }),
            let port = Int(digits), port <= 65_535
        else { return nil }
        var host = text[..<colon]
        let isBracketed = host.hasPrefix("[") && host.hasSuffix("]")
        if isBracketed { host = host.dropFirst().dropLast() }
        // Only an address in brackets has colons, and has them always.
        guard !host.isEmpty, host.utf8.count <= 255, host.contains(":") == isBracketed, host.utf8.allSatisfy(Self.isHostByte) else {
            return nil
        }
        self.init(host: String(host), port: port)
    }

    /// Letters, digits and what host names and addresses have between them, the `%` of an IPv6 zone included.
    private static func isHostByte(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "0")...UInt8(ascii: "9"),
            UInt8(ascii: "."), UInt8(ascii: "-"), UInt8(ascii: "_"), UInt8(ascii: ":"), UInt8(ascii: "%"):
            true
        default: false
        }
    }

    public var description: String { host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)" }
}
