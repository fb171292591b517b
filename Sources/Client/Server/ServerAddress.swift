internal import Foundation

/// The URL of a server's REST API.
package struct ServerAddress: Hashable, Sendable, CustomStringConvertible {
    package static let environmentVariable = "CHUNKFLOW_SERVER"
    package static let standard = "http://127.0.0.1:8080"

    /// Without a slash at its end.
    private let base: String

    /// - Returns: nil for what is no `http` or `https` URL with a host.
    package init?(_ text: String) {
        guard let components = URLComponents(string: text), let scheme = components.scheme?.lowercased(),
            ["http", "https"].contains(scheme),
            let host = components.host, !host.isEmpty, components.query == nil, components.fragment == nil, components.user == nil
        else { return nil }
        base = String(text.reversed().drop { $0 == "/" }.reversed())
    }

    package var description: String { base }

    /// The URL of a resource. Path components and values are escaped here.
    func url(_ path: [String], query: [(name: String, value: String)] = []) -> String {
        let parameters = query.map { "\($0.name)=\(Self.escaped($0.value))" }.joined(separator: "&")
        return base + path.map { "/" + Self.escaped($0) }.joined() + (parameters.isEmpty ? "" : "?" + parameters)
    }

    /// All but RFC 3986's unreserved characters.
    private static func escaped(_ text: String) -> String {
        var escaped = ""
        for byte in text.utf8 {
            switch byte {
            case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"), UInt8(ascii: "~"):
                escaped.unicodeScalars.append(Unicode.Scalar(byte))
            default: escaped += (byte < 0x10 ? "%0" : "%") + String(byte, radix: 16, uppercase: true)
            }
        }
        // Path components that are dots would be resolved by whatever is on the way.
        return escaped == "." || escaped == ".." ? escaped.replacing(".", with: "%2E") : escaped
    }
}
