/// The target of a request line, byte for byte as the client sent it, and its parts.
public struct RequestTarget: Hashable, Sendable {
    /// As it came: neither decoded nor normalised, so that signatures can be computed over it.
    public let raw: String
    /// The path as it came, percent-encoding included; begins with `/` for every ordinary request.
    public let path: String
    /// What follows the first `?`, as it came; nil without one.
    public let query: String?

    public init(_ raw: String) {
        self.raw = raw
        var text = Substring(raw)
        // RFC 9112 3.2.2: a server must accept the absolute form.
        if !text.hasPrefix("/"), let scheme = text.firstRange(of: "://") {
            let authority = text[scheme.upperBound...]
            text = authority.firstIndex(where: { $0 == "/" || $0 == "?" }).map { authority[$0...] } ?? "/"
            if text.hasPrefix("?") { text = "/" + text }
        }
        if let mark = text.firstIndex(of: "?") {
            path = String(text[..<mark])
            query = String(text[text.index(after: mark)...])
        } else {
            path = String(text)
            query = nil
        }
    }

    /// The parts of the path between its slashes, percent-decoded. `/a//b/` has four: `a`, an empty one, `b`, an empty one.
    /// - Returns: nil when the path does not begin with a slash or is not well encoded.
    public var segments: [String]? {
        guard path.hasPrefix("/") else { return nil }
        var segments: [String] = []
        for part in path.dropFirst().split(separator: "/", omittingEmptySubsequences: false) {
            guard let segment = Self.percentDecoded(part) else { return nil }
            segments.append(segment)
        }
        return segments
    }

    /// The value of the first query parameter of that name, decoded as HTML forms encode it (`+` is a space). Empty for a
    /// parameter without `=`, nil when there is none.
    /// - Throws: ``EdgeError/malformedRequest`` when it is not well encoded.
    public func queryValue(_ name: String) throws -> String? {
        guard let query else { return nil }
        for pair in query.split(separator: "&") {
            let sides = pair.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            guard Self.percentDecoded(sides[0], plusIsSpace: true) == name else { continue }
            guard sides.count == 2 else { return "" }
            guard let value = Self.percentDecoded(sides[1], plusIsSpace: true) else {
                throw EdgeError.malformedRequest(detail: "the query parameter \(name) is not well percent-encoded")
            }
            return value
        }
        return nil
    }

    /// - Returns: nil when a `%` is not followed by two hexadecimal digits, or when the result is not UTF-8.
    public static func percentDecoded(_ text: some StringProtocol, plusIsSpace: Bool = false) -> String? {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(text.utf8.count)
        var iterator = text.utf8.makeIterator()
        while let byte = iterator.next() {
            switch byte {
            case UInt8(ascii: "%"):
                guard let high = iterator.next().flatMap(hexadecimalDigit), let low = iterator.next().flatMap(hexadecimalDigit) else {
                    return nil
                }
                bytes.append(high << 4 | low)
            case UInt8(ascii: "+") where plusIsSpace: bytes.append(UInt8(ascii: " "))
            default: bytes.append(byte)
            }
        }
        return String(validating: bytes, as: UTF8.self)
    }
}

/// The value of a hexadecimal digit of either case.
func hexadecimalDigit(_ byte: UInt8) -> UInt8? {
    switch byte {
    case UInt8(ascii: "0")...UInt8(ascii: "9"): byte - UInt8(ascii: "0")
    case UInt8(ascii: "a")...UInt8(ascii: "f"): byte - UInt8(ascii: "a") + 10
    case UInt8(ascii: "A")...UInt8(ascii: "F"): byte - UInt8(ascii: "A") + 10
    default: nil
    }
}
