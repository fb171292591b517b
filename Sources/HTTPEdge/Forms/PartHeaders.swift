/// The header of one part of a form: its name, its file name and its content type.
package struct PartHeaders: Equatable, Sendable {
    /// The form field's name.
    package let name: String
    /// As the client wrote it, decoded; nil when it gave none.
    package let fileName: String?
    package let contentType: String?

    package init(name: String, fileName: String?, contentType: String?) {
        self.name = name
        self.fileName = fileName
        self.contentType = contentType
    }

    /// Reads a header block, its closing empty line included.
    init(parsing bytes: [UInt8]) throws {
        var disposition: String?
        var contentType: String?
        for line in try Self.lines(of: bytes) {
            guard let colon = line.utf8.firstIndex(of: UInt8(ascii: ":")) else { throw Self.malformed("a line without a colon") }
            let name = line[..<colon].lowercased()
            let value = HeaderText.trimmed(line[line.utf8.index(after: colon)...])
            guard HeaderText.isToken(name) else { throw Self.malformed("a field name that is no token") }
            switch name {
            case "content-disposition":
                if disposition != nil { throw Self.malformed("two Content-Disposition fields") }
                disposition = value
            case "content-type": contentType = value
            default: break
            }
        }
        guard let disposition else { throw Self.malformed("a part without Content-Disposition") }
        guard let parsed = ParameterizedValue(disposition), parsed.value.lowercased() == "form-data" else {
            throw Self.malformed("a Content-Disposition that is not form-data")
        }
        guard let name = parsed.parameter("name") else { throw Self.malformed("a part without a name") }
        self.name = ParameterizedValue.formUnescaped(name)
        fileName = parsed.fileName(unescape: ParameterizedValue.formUnescaped)
        self.contentType = contentType.flatMap { $0.isEmpty ? nil : $0 }
    }

    /// The lines of a header block, those that were folded (RFC 5322 2.2.3) made whole again.
    private static func lines(of bytes: [UInt8]) throws -> [String] {
        var lines: [String] = []
        var start = 0
        while start < bytes.count {
            guard let end = bytes[start...].firstIndex(of: 0x0A), end > start, bytes[end - 1] == 0x0D else {
                throw malformed("a line that does not end with CR LF")
            }
            let line = bytes[start..<(end - 1)]
            start = end + 1
            if line.isEmpty { continue }
            guard line.allSatisfy({ $0 >= 0x20 && $0 != 0x7F || $0 == 0x09 }) else { throw malformed("a control character") }
            let text = String(decoding: line, as: UTF8.self)
            if line.first == 0x20 || line.first == 0x09 {
                guard let last = lines.popLast() else { throw malformed("a continuation of nothing") }
                lines.append(last + " " + HeaderText.trimmed(text))
            } else {
                lines.append(text)
            }
        }
        return lines
    }

    private static func malformed(_ detail: String) -> MultipartParser.ParseError { .malformedHeader(detail: detail) }
}
