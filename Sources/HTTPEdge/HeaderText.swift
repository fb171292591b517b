/// The grammar that header fields share (RFC 9110 5.6).
package enum HeaderText {
    package static func isTokenByte(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "0")...UInt8(ascii: "9"): true
        default: "!#$%&'*+-.^_`|~".utf8.contains(byte)
        }
    }

    package static func isToken(_ text: some StringProtocol) -> Bool { !text.isEmpty && text.utf8.allSatisfy(isTokenByte) }

    /// Without spaces and tabs at either end.
    package static func trimmed(_ text: some StringProtocol) -> String {
        let isBlank: (UInt8) -> Bool = { $0 == 0x20 || $0 == 0x09 }
        let bytes = Array(text.utf8)
        guard let first = bytes.firstIndex(where: { !isBlank($0) }), let last = bytes.lastIndex(where: { !isBlank($0) }) else { return "" }
        return String(decoding: bytes[first...last], as: UTF8.self)
    }
}

/// A field value with parameters: `form-data; name="file"; filename*=UTF-8''na%C3%AFve.txt`.
package struct ParameterizedValue {
    package let value: String
    /// Names in lower case, in the order in which they came.
    package private(set) var parameters: [(name: String, value: String)] = []

    /// - Returns: nil when the text does not follow the grammar.
    package init?(_ text: String) {
        let bytes = Array(text.utf8)
        var position = 0

        func skipBlanks() {
            while position < bytes.count, bytes[position] == 0x20 || bytes[position] == 0x09 { position += 1 }
        }
        func readWhile(_ accepts: (UInt8) -> Bool) -> String {
            let start = position
            while position < bytes.count, accepts(bytes[position]) { position += 1 }
            return String(decoding: bytes[start..<position], as: UTF8.self)
        }

        skipBlanks()
        value = HeaderText.trimmed(readWhile { $0 != UInt8(ascii: ";") })
        guard !value.isEmpty else { return nil }
        while position < bytes.count {
            position += 1
            skipBlanks()
            if position == bytes.count { break }
            if bytes[position] == UInt8(ascii: ";") { continue }
            let name = readWhile(HeaderText.isTokenByte).lowercased()
            skipBlanks()
            guard !name.isEmpty, position < bytes.count, bytes[position] == UInt8(ascii: "=") else { return nil }
            position += 1
            skipBlanks()
            if position < bytes.count, bytes[position] == UInt8(ascii: "\"") {
                guard let quoted = Self.readQuoted(bytes, &position) else { return nil }
                parameters.append((name, quoted))
            } else {
                parameters.append((name, HeaderText.trimmed(readWhile { $0 != UInt8(ascii: ";") })))
            }
            skipBlanks()
            guard position == bytes.count || bytes[position] == UInt8(ascii: ";") else { return nil }
        }
    }

    /// Reads a quoted string. A backslash escapes a quotation mark or a backslash; before anything else it stands for
    /// itself, as some browsers send `C:\folder\name`; before the last mark of all too, as they send `C:\folder\`.
    private static func readQuoted(_ bytes: [UInt8], _ position: inout Int) -> String? {
        position += 1
        var content: [UInt8] = []
        let lastMark = bytes.lastIndex(of: UInt8(ascii: "\"")) ?? bytes.endIndex
        while position < bytes.count {
            let byte = bytes[position]
            position += 1
            if byte == UInt8(ascii: "\"") { return String(decoding: content, as: UTF8.self) }
            if byte == UInt8(ascii: "\\"), position < bytes.count,
                bytes[position] == UInt8(ascii: "\"") && position < lastMark || bytes[position] == UInt8(ascii: "\\")
            {
                content.append(bytes[position])
                position += 1
            } else {
                content.append(byte)
            }
        }
        return nil
    }

    package func parameter(_ name: String) -> String? { parameters.first { $0.name == name }?.value }

    /// The `filename*` (RFC 8187) where it can be read, else the `filename` through `unescape`.
    package func fileName(unescape: (String) -> String = { $0 }) -> String? {
        if let extended = parameter("filename*"), let name = Self.extendedValue(extended) { return name }
        return parameter("filename").map(unescape)
    }

    /// RFC 8187: `UTF-8'language'percent-encoded`.
    package static func extendedValue(_ text: String) -> String? {
        let parts = text.split(separator: "'", omittingEmptySubsequences: false)
        guard parts.count == 3, parts[0].lowercased() == "utf-8" else { return nil }
        return RequestTarget.percentDecoded(parts[2])
    }

    /// Undoes what HTML forms do to names: `%22` for a quotation mark, `%0D` and `%0A` for line ends. Nothing else is encoded.
    package static func formUnescaped(_ text: String) -> String {
        guard text.utf8.contains(UInt8(ascii: "%")) else { return text }
        var result = ""
        var rest = Substring(text)
        while let percent = rest.firstIndex(of: "%") {
            result += rest[..<percent]
            rest = rest[percent...]
            switch rest.prefix(3).lowercased() {
            case "%22": result += "\""
            case "%0d": result += "\r"
            case "%0a": result += "\n"
            default:
                result += "%"
                rest = rest.dropFirst()
                continue
            }
            rest = rest.dropFirst(3)
        }
        return result + rest
    }
}
