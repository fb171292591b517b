internal import Core
package import NIOCore

/// Compares content with the checksum that the server has for it: CRC-32C, or the ETag's MD5 where that is all it says.
package struct ContentCheck: Sendable {
    private enum State: Sendable {
        case crc32c(CRC32C, expected: UInt32)
        case md5(ContentDigest, expected: String)
    }

    private var state: State
    private let file: FileDescription

    /// Bytes seen so far.
    package private(set) var byteCount: Int64 = 0

    /// - Throws: ``ClientError/unexpectedAnswer(detail:)`` when the server has no checksum: nothing could be promised of the content.
    package init(of file: FileDescription) throws {
        self.file = file
        if let crc32c = file.crc32c {
            state = .crc32c(CRC32C(), expected: crc32c)
        } else if let md5 = file.md5 {
            state = .md5(ContentDigest(), expected: md5)
        } else {
            throw ClientError.unexpectedAnswer(detail: "the file has no checksum that this client knows")
        }
    }

    package mutating func update(_ buffer: ByteBuffer) {
        byteCount += Int64(buffer.readableBytes)
        switch state {
        case .crc32c(var crc, let expected):
            crc.update(buffer)
            state = .crc32c(crc, expected: expected)
        case .md5(var digest, let expected):
            digest.update(buffer)
            state = .md5(digest, expected: expected)
        }
    }

    /// Whether what was seen is the file, all of it.
    package var isMatch: Bool {
        guard byteCount == file.size else { return false }
        return switch state {
        case .crc32c(let crc, let expected): crc.value == expected
        case .md5(let digest, let expected): hexadecimal(digest.md5Bytes()) == expected
        }
    }
}
