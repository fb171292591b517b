/// A request in the one form over which both sides compute its signature ("Create a canonical request").
public struct CanonicalRequest: Sendable {
    public let method: String
    /// Percent-decoded bytes of the path; each is encoded once, slashes stay. S3 neither normalises nor encodes twice.
    public let path: [UInt8]
    /// Percent-decoded, in any order.
    public let query: [(name: String, value: String)]
    /// By lower-case name, those that are signed.
    public let headers: [(name: String, values: [String])]
    /// Hexadecimal SHA-256 of the body, or one of the words that stand for it.
    public let payload: String

    public init(
        method: String, path: [UInt8], query: [(name: String, value: String)], headers: [(name: String, values: [String])], payload: String
    ) {
        self.method = method
        self.path = path
        self.query = query
        self.headers = headers
        self.payload = payload
    }

    /// Names of the signed headers, as they stand in the request and in its signature.
    public var signedHeaders: String { headers.map(\.name).sorted().joined(separator: ";") }

    public var text: String {
        let pairs: [(name: String, value: String)] = self.query.map { (uriEncoded($0.name.utf8), uriEncoded($0.value.utf8)) }
        let sorted = pairs.sorted { $0.name == $1.name ? $0.value < $1.value : $0.name < $1.name }
        let query = sorted.map { "\($0.name)=\($0.value)" }.joined(separator: "&")
        var fields = ""
        for header in self.headers.sorted(by: { $0.name < $1.name }) {
            fields += header.name + ":" + header.values.map(collapsed).joined(separator: ",") + "\n"
        }
        return "\(method)\n\(uriEncoded(path, keepingSlashes: true))\n\(query)\n\(fields)\n\(signedHeaders)\n\(payload)"
    }

    /// What is signed: the algorithm, the time, the scope, and the hash of the canonical request.
    /// - Parameter time: `20260102T030405Z`
    public func stringToSign(time: String, scope: CredentialScope) -> String {
        "AWS4-HMAC-SHA256\n\(time)\n\(scope.text)\n\(sha256Text(text.utf8))"
    }

    /// Without blanks at its ends, and runs of spaces within made one.
    private func collapsed(_ value: String) -> String {
        // Nearly all values are so already.
        var previous = UInt8(ascii: " ")
        let isCollapsed = value.utf8.allSatisfy { byte in
            defer { previous = byte }
            return byte != UInt8(ascii: "\t") && (byte != UInt8(ascii: " ") || previous != UInt8(ascii: " "))
        }
        if isCollapsed, previous != UInt8(ascii: " ") || value.isEmpty { return value }
        return value.split(whereSeparator: { $0 == " " || $0 == "\t" }).joined(separator: " ")
    }
}

/// Percent-encodes everything but the unreserved characters of RFC 3986.
public func uriEncoded(_ bytes: some Sequence<UInt8>, keepingSlashes: Bool = false) -> String {
    let digits = Array("0123456789ABCDEF".utf8)
    var text: [UInt8] = []
    for byte in bytes {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "0")...UInt8(ascii: "9"),
            UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"), UInt8(ascii: "~"):
            text.append(byte)
        case UInt8(ascii: "/") where keepingSlashes: text.append(byte)
        default: text += [UInt8(ascii: "%"), digits[Int(byte >> 4)], digits[Int(byte & 0xF)]]
        }
    }
    return String(decoding: text, as: UTF8.self)
}
