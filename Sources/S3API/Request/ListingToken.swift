internal import Core

/// How a listing goes on: opaque to clients, of characters that no encoding touches.
enum ListingToken {
    static func encode(_ name: String) -> String { hexadecimal(name.utf8) }

    /// - Throws: ``S3Error`` `InvalidArgument` for what no listing has given out.
    static func decode(_ token: String) throws(S3Error) -> String {
        let digits = Array(token.utf8)
        var bytes: [UInt8] = []
        for index in stride(from: 0, to: digits.count - 1, by: 2) {
            guard let byte = UInt8(String(decoding: digits[index...index + 1], as: UTF8.self), radix: 16) else { break }
            bytes.append(byte)
        }
        guard digits.count.isMultiple(of: 2), bytes.count * 2 == digits.count, let text = String(validating: bytes, as: UTF8.self) else {
            throw S3Error(.invalidArgument, "The continuation token provided is incorrect")
        }
        return text
    }
}
