internal import Core
internal import Crypto
internal import NIOCore

/// Takes the framing `aws-chunked` off a body: `SIZE[;chunk-signature=SIGNATURE]\r\n`, so many bytes, `\r\n`, until a size of 0; then, where
/// there are any, fields, and an empty line.
///
/// A state machine: feed it what arrives, take what it gives. A chunk's signature is checked behind its bytes, so what it gave counts only when
/// it has come to its end.
struct AWSChunkedDecoder {
    /// Bytes of a line of the framing, and of all fields behind the body.
    static let maximumLineBytes = 8 * 1_024
    static let maximumTrailerBytes = 16 * 1_024

    private enum State {
        case size
        case bytes(left: Int)
        case lineEnd
        case trailer
        case ended
    }

    private var state = State.size
    private var pending = ByteBuffer()
    private var signer: ChunkSigner?
    /// Whether the fields behind the body are signed.
    private let signsTrailer: Bool
    private var signature = ""
    private var hash = SHA256()
    private var trailerBytes = 0
    private var signedFields = ""
    private var trailerSignature: String?

    /// Fields behind the body, by lower-case name.
    private(set) var trailer: [String: String] = [:]
    /// Bytes of content so far.
    private(set) var byteCount: Int64 = 0

    init(_ payload: Payload) {
        switch payload {
        case .signedChunks(let signer, let hasTrailer):
            self.signer = signer
            signsTrailer = hasTrailer
        case .unsigned, .hashed, .unsignedChunks:
            signer = nil
            signsTrailer = false
        }
    }

    var isEnded: Bool { if case .ended = state { true } else { false } }

    mutating func feed(_ buffer: ByteBuffer) {
        if pending.readableBytes == 0 {
            pending = buffer
        } else {
            var buffer = buffer
            pending.discardReadBytes()
            pending.writeBuffer(&buffer)
        }
    }

    /// The next bytes of content; nil when more must arrive first, or nothing more comes.
    /// - Throws: ``S3Error`` for framing that is broken, or a signature that is wrong.
    mutating func next() throws(S3Error) -> ByteBuffer? {
        while true {
            switch state {
            case .size:
                guard let line = try takeLine() else { return nil }
                try beginChunk(line)
            case .bytes(let left):
                guard let bytes = pending.readSlice(length: min(left, pending.readableBytes)), bytes.readableBytes > 0 else { return nil }
                if signer != nil { bytes.withUnsafeReadableBytes { hash.update(bufferPointer: $0) } }
                byteCount += Int64(bytes.readableBytes)
                state = left == bytes.readableBytes ? .lineEnd : .bytes(left: left - bytes.readableBytes)
                return bytes
            case .lineEnd:
                guard let line = try takeLine() else { return nil }
                guard line.isEmpty else { throw S3Error(.incompleteBody, "A chunk is not followed by a line end") }
                try endChunk()
                state = .size
            case .trailer:
                guard let line = try takeLine() else { return nil }
                if line.isEmpty { try end() } else { try takeField(line) }
            case .ended:
                // A line end more is what some clients write. Anything else is not of this body, and must not be gathered.
                guard pending.readableBytes <= 2 else { throw S3Error(.incompleteBody, "Bytes follow the end of the body") }
                return nil
            }
        }
    }

    private mutating func beginChunk(_ line: String) throws(S3Error) {
        let parts = line.split(separator: ";", maxSplits: 1, omittingEmptySubsequences: false)
        guard (1...15).contains(parts[0].utf8.count), let size = Int(parts[0], radix: 16), size >= 0 else {
            throw S3Error(.incompleteBody, "A chunk has no size that can be read")
        }
        signature = ""
        if parts.count == 2, parts[1].hasPrefix("chunk-signature=") { signature = String(parts[1].dropFirst(16)) }
        hash = SHA256()
        if size > 0 {
            state = .bytes(left: size)
        } else {
            try endChunk()
            state = .trailer
        }
    }

    private mutating func endChunk() throws(S3Error) {
        guard signer != nil else { return }
        guard signer?.accept(signature, hash: hexadecimal(hash.finalize())) == true else { throw S3Error(.signatureDoesNotMatch) }
    }

    private mutating func takeField(_ line: String) throws(S3Error) {
        trailerBytes += line.utf8.count
        guard trailerBytes <= Self.maximumTrailerBytes, let colon = line.firstIndex(of: ":") else {
            throw S3Error(.incompleteBody, "The fields behind the body cannot be read")
        }
        let name = line[..<colon].lowercased()
        let value = String(line[line.index(after: colon)...]).trimmingBlanks()
        if name == "x-amz-trailer-signature" {
            trailerSignature = value
        } else {
            trailer[name] = value
            signedFields += "\(name):\(value)\n"
        }
    }

    private mutating func end() throws(S3Error) {
        if signsTrailer {
            guard let trailerSignature, signer?.acceptTrailer(trailerSignature, fields: signedFields) == true else {
                throw S3Error(.signatureDoesNotMatch)
            }
        }
        state = .ended
    }

    /// A line without its end; nil when it has not arrived as a whole.
    private mutating func takeLine() throws(S3Error) -> String? {
        guard let end = pending.readableBytesView.prefix(Self.maximumLineBytes).firstIndex(of: UInt8(ascii: "\n")) else {
            guard pending.readableBytes < Self.maximumLineBytes else {
                throw S3Error(.incompleteBody, "A line of the chunks' framing is too long")
            }
            return nil
        }
        guard let bytes = pending.readSlice(length: end - pending.readerIndex + 1) else { return nil }
        var line = bytes.readableBytesView.dropLast()
        if line.last == UInt8(ascii: "\r") { line = line.dropLast() }
        return String(decoding: line, as: UTF8.self)
    }
}
