package import NIOCore

#if canImport(Glibc)
    internal import Glibc
#else
    internal import Darwin
#endif

/// Reads a `multipart/form-data` body (RFC 7578, RFC 2046 5.1) piece by piece, whatever the sizes of the pieces.
///
/// A state machine without I/O: ``feed(_:)`` bytes, then take ``next()`` until it gives nil, and so on; ``finish()`` when there
/// are no more bytes. What it gives out as ``Event/data(_:)`` are slices of what was fed in, not copies.
package struct MultipartParser {
    package enum Event: Equatable {
        case partBegan(PartHeaders)
        case data(ByteBuffer)
        case partEnded
        /// The closing delimiter was read. What follows is the epilogue, which means nothing.
        case ended
    }

    package enum ParseError: Error, Hashable {
        /// Something other than a line end or `--` followed a boundary.
        case malformedDelimiter
        case malformedHeader(detail: String)
        case headerTooLarge
        /// Bytes before the first or after the last boundary that are too many to be there by habit of some old client.
        case paddingTooLarge
        /// The body ended without its closing delimiter.
        case truncated
    }

    package enum Limits {
        /// Bytes of a part's header.
        package static let headerBytes = 16 * 1024
        /// Bytes before the first boundary, after the last, or between a boundary and its line end.
        package static let paddingBytes = 64 * 1024
    }

    private enum State {
        /// Before the first delimiter.
        case preamble
        /// Between a boundary and the end of its line; `last` is the hyphen or CR that came already.
        case delimiterTail(last: UInt8?)
        case header([UInt8])
        case data
        case epilogue
    }

    /// CRLF, two hyphens, the boundary. It begins with the only CR that it has, so that a candidate that fails holds no other.
    private let delimiter: [UInt8]
    private var state = State.preamble
    private var input = ByteBuffer()
    /// How much of `delimiter` the bytes before `input` match.
    private var matched = 2
    /// How much of `matched` was assumed rather than read: the line end before a delimiter at the very start.
    private var assumed = 2
    private var paddingLeft = Limits.paddingBytes
    private var closed = false

    /// - Parameter boundary: 1...70 bytes without CR and LF.
    package init(boundary: String) {
        precondition((1...70).contains(boundary.utf8.count) && !boundary.utf8.contains { $0 == 0x0D || $0 == 0x0A })
        delimiter = Array("\r\n--".utf8) + Array(boundary.utf8)
    }

    /// Takes the next bytes.
    /// - Precondition: ``next()`` gave nil for those before.
    package mutating func feed(_ bytes: ByteBuffer) {
        precondition(input.readableBytes == 0, "what was fed before is not used up")
        input = bytes
    }

    /// No more bytes will come.
    /// - Throws: ``ParseError/truncated`` unless the closing delimiter was read.
    package func finish() throws {
        guard closed else { throw ParseError.truncated }
    }

    /// - Returns: nil when more bytes are needed.
    package mutating func next() throws -> Event? {
        while true {
            switch state {
            case .preamble:
                switch try scanForDelimiter(discarding: true) {
                case .needsMore: return nil
                case .data: continue
                case .delimiter: state = .delimiterTail(last: nil)
                }
            case .data:
                switch try scanForDelimiter(discarding: false) {
                case .needsMore: return nil
                case .data(let bytes): return .data(bytes)
                case .delimiter:
                    state = .delimiterTail(last: nil)
                    return .partEnded
                }
            case .delimiterTail(let last):
                guard let tail = try readDelimiterTail(after: last) else { return nil }
                if tail == .ended { return .ended }
            case .header(let bytes):
                guard let headers = try readHeader(bytes) else { return nil }
                state = .data
                // RFC 2046 allows a part without a body to end with the line end of its header.
                matched = 2
                assumed = 2
                return .partBegan(headers)
            case .epilogue:
                try spendPadding(input.readableBytes)
                input.moveReaderIndex(to: input.writerIndex)
                return nil
            }
        }
    }

    // MARK: Finding the delimiter

    private enum Scan {
        case needsMore
        case data(ByteBuffer)
        case delimiter
    }

    private mutating func scanForDelimiter(discarding: Bool) throws -> Scan {
        if matched > 0 {
            guard let matches = continueMatch() else { return .needsMore }
            if matches {
                matched = 0
                assumed = 0
                return .delimiter
            }
            // What looked like a delimiter was content.
            let bytes = ByteBuffer(bytes: delimiter[assumed..<matched])
            matched = 0
            assumed = 0
            if discarding { try spendPadding(bytes.readableBytes) }
            if bytes.readableBytes > 0 { return .data(bytes) }
        }
        guard input.readableBytes > 0 else { return .needsMore }
        let length = contentLength()
        if length == 0 {
            // `input` begins with a CR: a candidate.
            matched = 1
            input.moveReaderIndex(forwardBy: 1)
            return try scanForDelimiter(discarding: discarding)
        }
        if discarding { try spendPadding(length) }
        guard let content = input.readSlice(length: length) else { preconditionFailure("the length is within the input") }
        return .data(content)
    }

    /// Compares `input` with the rest of the delimiter.
    /// - Returns: true when all of it was read, false when the bytes differ, nil when more are needed.
    private mutating func continueMatch() -> Bool? {
        let (count, differs) = input.withUnsafeReadableBytes { bytes -> (Int, Bool) in
            let available = min(bytes.count, delimiter.count - matched)
            var count = 0
            while count < available, bytes[count] == delimiter[matched + count] { count += 1 }
            return (count, count < available)
        }
        matched += count
        input.moveReaderIndex(forwardBy: count)
        if differs { return false }
        return matched == delimiter.count ? true : nil
    }

    /// Bytes at the start of `input` that are content for certain: up to the first CR from which the delimiter could begin.
    private func contentLength() -> Int {
        input.withUnsafeReadableBytes { bytes in
            guard let start = bytes.baseAddress else { return 0 }
            var position = 0
            while let found = memchr(start + position, 0x0D, bytes.count - position) {
                let candidate = start.distance(to: UnsafeRawPointer(found))
                var count = 1
                while count < delimiter.count, candidate + count < bytes.count, bytes[candidate + count] == delimiter[count] { count += 1 }
                if count == delimiter.count || candidate + count == bytes.count { return candidate }
                position = candidate + 1
            }
            return bytes.count
        }
    }

    // MARK: Between boundary and header, and the header

    private enum DelimiterTail {
        case lineEnd
        case ended
    }

    /// Reads what follows a boundary: `--`, or white space and a line end.
    private mutating func readDelimiterTail(after last: UInt8?) throws -> DelimiterTail? {
        var last = last
        while let byte = input.readInteger(as: UInt8.self) {
            switch (last, byte) {
            case (nil, UInt8(ascii: "-")), (nil, 0x0D): last = byte
            case (nil, UInt8(ascii: " ")), (nil, UInt8(ascii: "\t")): try spendPadding(1)
            case (UInt8(ascii: "-"), UInt8(ascii: "-")):
                closed = true
                state = .epilogue
                return .ended
            case (0x0D, 0x0A):
                state = .header([])
                return .lineEnd
            default: throw ParseError.malformedDelimiter
            }
        }
        state = .delimiterTail(last: last)
        return nil
    }

    private mutating func readHeader(_ soFar: [UInt8]) throws -> PartHeaders? {
        var bytes = soFar
        while let byte = input.readInteger(as: UInt8.self) {
            bytes.append(byte)
            guard bytes.count <= Limits.headerBytes else { throw ParseError.headerTooLarge }
            if byte == 0x0A, bytes.count == 2 ? bytes == [0x0D, 0x0A] : bytes.suffix(4) == [0x0D, 0x0A, 0x0D, 0x0A] {
                return try PartHeaders(parsing: bytes)
            }
        }
        state = .header(bytes)
        return nil
    }

    private mutating func spendPadding(_ count: Int) throws {
        paddingLeft -= count
        guard paddingLeft >= 0 else { throw ParseError.paddingTooLarge }
    }
}

extension MultipartParser.ParseError {
    /// For the one who wrote the client.
    package var detail: String {
        switch self {
        case .malformedDelimiter: "a boundary is followed by something other than a line end or --"
        case .malformedHeader(let detail): "the header of a part has " + detail
        case .headerTooLarge: "the header of a part has more than \(MultipartParser.Limits.headerBytes) bytes"
        case .paddingTooLarge: "there are more than \(MultipartParser.Limits.paddingBytes) bytes outside the parts"
        case .truncated: "the body ends before the closing boundary, or has none of the boundaries that its Content-Type names"
        }
    }
}
