internal import HTTPEdge

/// The `Content-Disposition` of a download (RFC 6266).
package enum ContentDisposition {
    /// `attachment`, with the name twice where it is not plain ASCII: once with `_` for what old clients cannot read, once whole.
    package static func attachment(fileName: String?) -> String {
        guard let fileName else { return "attachment" }
        let fallback = String(
            decoding: fileName.unicodeScalars.map { scalar -> UInt8 in
                guard scalar.isASCII, scalar.value >= 0x20, scalar.value != 0x7F else { return UInt8(ascii: "_") }
                // A percent sign: some clients decode what looks encoded.
                return "\"\\%".unicodeScalars.contains(scalar) ? UInt8(ascii: "_") : UInt8(scalar.value)
            }, as: UTF8.self)
        let plain = "attachment; filename=\"\(fallback)\""
        return fallback == fileName ? plain : plain + "; filename*=UTF-8''" + extended(fileName)
    }

    /// Percent-encodes all but RFC 8187's attr-char.
    private static func extended(_ text: String) -> String {
        var result: [UInt8] = []
        let digits = Array("0123456789ABCDEF".utf8)
        for byte in text.utf8 {
            if HeaderText.isTokenByte(byte), !"*'%".utf8.contains(byte) {
                result.append(byte)
            } else {
                result += [UInt8(ascii: "%"), digits[Int(byte >> 4)], digits[Int(byte & 0xF)]]
            }
        }
        return String(decoding: result, as: UTF8.self)
    }
}
