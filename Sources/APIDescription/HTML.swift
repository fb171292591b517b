/// Text that is HTML already. What is put into it is escaped, unless it is HTML itself.
struct HTML: Sendable, ExpressibleByStringInterpolation {
    var text: String

    init(stringLiteral text: String) { self.text = text }
    init(stringInterpolation: Interpolation) { text = stringInterpolation.text }

    struct Interpolation: StringInterpolationProtocol {
        var text = ""

        init(literalCapacity: Int, interpolationCount: Int) { text.reserveCapacity(literalCapacity * 2) }

        mutating func appendLiteral(_ literal: String) { text += literal }
        mutating func appendInterpolation(_ html: HTML) { text += html.text }
        mutating func appendInterpolation(_ pieces: [HTML]) { for piece in pieces { text += piece.text } }
        mutating func appendInterpolation(_ plain: String) { text += HTML.escaped(plain) }
    }

    private static func escaped(_ plain: String) -> String {
        var text = ""
        for character in plain.unicodeScalars {
            switch character {
            case "&": text += "&amp;"
            case "<": text += "&lt;"
            case ">": text += "&gt;"
            case "\"": text += "&quot;"
            case "'": text += "&#39;"
            default: text.unicodeScalars.append(character)
            }
        }
        return text
    }
}

extension HTML {
    /// Paragraphs, with what stands between backquotes as code: all of Markdown that the description uses.
    static func prose(_ text: String) -> [HTML] {
        text.split(separator: "\n\n").map { "<p>\(inline(String($0)))</p>\n" }
    }

    /// A line, with what stands between backquotes as code.
    static func inline(_ text: String) -> [HTML] {
        text.split(separator: "`", omittingEmptySubsequences: false).enumerated().map { index, part in
            index.isMultiple(of: 2) ? "\(String(part))" : "<code>\(String(part))</code>"
        }
    }
}
