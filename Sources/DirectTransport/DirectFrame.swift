internal import Core
package import GRPCCore
package import NIOCore

/// What travels on a direct connection: one call after the other, each a ``call`` and what follows it, both ways.
///
/// Every frame is 8 bytes, little-endian, and a body: kind (8 bits), 0 (8 bits), bytes of the body that are the head of a message
/// (16 bits, else 0), bytes of the body (32 bits).
package enum DirectFrame: Sendable {
    /// From the client: begins a call.
    case call(method: String, metadata: Metadata)
    case message(DirectBytes)
    /// From the client: no more messages.
    case end
    /// From the server, before its messages.
    case metadata(Metadata)
    /// From the server, last.
    case status(Status, Metadata)

    fileprivate enum Kind: UInt8 {
        case call = 1
        case message = 2
        case end = 3
        case metadata = 4
        case status = 5
    }

    package static let headerSize = 8
    /// The most that a frame other than a message may have: the metadata of a call, an error with its details.
    package static let maximumControlSize = 64 * 1024

    /// What to write, in order. A file's bytes are there to be written as long as the frame lives.
    package func encoded() -> [IOData] {
        switch self {
        case .call(let method, let metadata):
            control(.call) {
                $0.write(method, lengthAs: UInt16.self)
                $0.write(metadata)
            }
        case .end: control(.end) { _ in }
        case .metadata(let metadata): control(.metadata) { $0.write(metadata) }
        case .status(let status, let metadata):
            control(.status) {
                $0.writeInteger(UInt8(clamping: status.code.rawValue))
                $0.write(status.message.utf8.count < 8 * 1024 ? status.message : "\(status.message.prefix(1024))", lengthAs: UInt16.self)
                $0.write(metadata)
            }
        case .message(let message):
            message.encoded()
        }
    }

    /// Takes note of why it was not sent.
    func noteFailure(_ error: any Error) { if case .message(let message) = self { message.file?.noteFailure(error) } }

    private func control(_ kind: Kind, _ body: (inout ByteBuffer) -> Void) -> [IOData] {
        var buffer = ByteBufferAllocator().buffer(capacity: 256)
        buffer.writeHeader(kind, headSize: 0, size: 0)
        body(&buffer)
        buffer.setInteger(UInt32(buffer.readableBytes - Self.headerSize), at: 4, endianness: .little)
        return [.byteBuffer(buffer)]
    }

    /// A frame that does not follow the protocol, or is larger than it may be.
    package struct Malformed: Error {}

    /// The frame other than a message that `body` holds.
    /// - Throws: ``Malformed``.
    fileprivate init(_ kind: Kind, _ body: ByteBuffer) throws {
        var body = body
        switch kind {
        case .call: self = .call(method: try body.readString(lengthAs: UInt16.self), metadata: try body.readMetadata())
        case .end: self = .end
        case .metadata: self = .metadata(try body.readMetadata())
        case .status:
            guard let value = body.readInteger(as: UInt8.self), let code = Status.Code(rawValue: Int(value)) else { throw Malformed() }
            self = .status(Status(code: code, message: try body.readString(lengthAs: UInt16.self)), try body.readMetadata())
        case .message: throw Malformed()
        }
        guard body.readableBytes == 0 else { throw Malformed() }
    }
}

extension DirectBytes {
    fileprivate func encoded() -> [IOData] {
        let (head, payload) = file == nil ? parts : (head, ByteBuffer())
        precondition(head.readableBytes <= UInt16.max, "a short head")
        var buffer = ByteBufferAllocator().buffer(capacity: DirectFrame.headerSize + head.readableBytes)
        buffer.writeHeader(.message, headSize: UInt16(head.readableBytes), size: UInt32(count))
        buffer.writeImmutableBuffer(head)
        if let file { return [.byteBuffer(buffer), .fileRegion(file.region)] }
        return payload.readableBytes == 0 ? [.byteBuffer(buffer)] : [.byteBuffer(buffer), .byteBuffer(payload)]
    }
}

/// Cuts what comes in on a connection into frames.
package struct DirectDecoder {
    private struct Body {
        let kind: DirectFrame.Kind
        let headSize: Int
        let size: Int
        /// What has come of it: allocated once, for all that is to come.
        var head: ByteBuffer
        var rest: ByteBuffer

        init(kind: DirectFrame.Kind, headSize: Int, size: Int) {
            self.kind = kind
            self.headSize = headSize
            self.size = size
            head = ByteBufferAllocator().buffer(capacity: headSize)
            rest = ByteBufferAllocator().buffer(capacity: size - headSize)
        }

        var isComplete: Bool { head.readableBytes + rest.readableBytes == size }

        mutating func take(from bytes: inout ByteBuffer) {
            if let part = bytes.readSlice(length: min(bytes.readableBytes, headSize - head.readableBytes)) {
                head.writeImmutableBuffer(part)
            }
            let count = min(bytes.readableBytes, missingPayload)
            // Even to write nothing copies what somebody else has a reference to: the network, to what it has just filled.
            guard count > 0, let part = bytes.readSlice(length: count) else { return }
            rest.writeImmutableBuffer(part)
        }

        /// Bytes that are still to come; none while the head is not complete.
        var missingPayload: Int { head.readableBytes == headSize ? size - headSize - rest.readableBytes : 0 }

        func frame() throws -> DirectFrame {
            kind == .message ? .message(DirectBytes(head: head, payload: rest)) : try DirectFrame(kind, rest)
        }
    }

    /// Bytes for which it is not worth while to lend a buffer.
    private static let leastLent = 16 * 1024

    private let maximumMessageSize: Int
    private var header = ByteBuffer()
    private var body: Body?

    /// - Parameter maximumMessageSize: bytes of a message that is taken.
    package init(maximumMessageSize: Int) { self.maximumMessageSize = maximumMessageSize }

    /// The next frame that is complete; nil when more bytes are needed, and `bytes` are used up then.
    /// - Throws: ``DirectFrame/Malformed``: what follows cannot be understood.
    package mutating func next(from bytes: inout ByteBuffer) throws -> DirectFrame? {
        if body == nil {
            if let part = bytes.readSlice(length: min(bytes.readableBytes, DirectFrame.headerSize - header.readableBytes)) {
                header.writeImmutableBuffer(part)
            }
            guard header.readableBytes == DirectFrame.headerSize else { return nil }
            body = try readHeader()
        }
        body?.take(from: &bytes)
        guard let complete = body, complete.isComplete else { return nil }
        body = nil
        return try complete.frame()
    }

    // MARK: Without copying

    /// The buffer of the message that is coming in, for the network to write what follows behind what it has: it is copied once less then.
    /// Before anything else is decoded it has to be given to ``takeBack(_:)``.
    /// - Returns: nil when it is not known what comes, or little of it.
    package mutating func lend() -> ByteBuffer? {
        guard let body, body.missingPayload >= Self.leastLent else { return nil }
        // The only reference to it: writing to it would copy it otherwise.
        self.body?.rest = ByteBuffer()
        return body.rest
    }

    /// - Returns: what was written that is no part of the message.
    package mutating func takeBack(_ buffer: ByteBuffer) -> ByteBuffer {
        guard let body else { return buffer }
        let end = buffer.readerIndex + body.size - body.headSize
        var payload = buffer
        // Even a slice without bytes is a reference.
        let rest = buffer.getSlice(at: end, length: buffer.writerIndex - end)
        if rest != nil { payload.moveWriterIndex(to: end) }
        self.body?.rest = payload
        return rest.flatMap { $0.readableBytes > 0 ? $0 : nil } ?? ByteBuffer()
    }

    private mutating func readHeader() throws -> Body {
        defer { header.clear() }
        guard let value = header.readInteger(as: UInt8.self), let kind = DirectFrame.Kind(rawValue: value),
            header.readInteger(as: UInt8.self) == 0, let headSize = header.readInteger(endianness: .little, as: UInt16.self),
            let size = header.readInteger(endianness: .little, as: UInt32.self)
        else { throw DirectFrame.Malformed() }
        let limit = kind == .message ? maximumMessageSize : DirectFrame.maximumControlSize
        guard size <= limit, headSize <= size, headSize == 0 || kind == .message else { throw DirectFrame.Malformed() }
        return Body(kind: kind, headSize: Int(headSize), size: Int(size))
    }
}

// MARK: Encoding

extension ByteBuffer {
    fileprivate mutating func writeHeader(_ kind: DirectFrame.Kind, headSize: UInt16, size: UInt32) {
        writeInteger(kind.rawValue)
        writeInteger(0 as UInt8)
        writeInteger(headSize, endianness: .little)
        writeInteger(size, endianness: .little)
    }

    fileprivate mutating func write<Length: FixedWidthInteger>(_ string: String, lengthAs: Length.Type) {
        writeInteger(Length(clamping: string.utf8.count), endianness: .little)
        writeString(string)
    }

    /// Their number (16 bits), then of each: whether it is binary (8 bits), key and value, with their lengths (16 and 32 bits).
    fileprivate mutating func write(_ metadata: Metadata) {
        writeInteger(UInt16(clamping: metadata.count), endianness: .little)
        for (key, value) in metadata {
            switch value {
            case .string(let string):
                writeInteger(0 as UInt8)
                write(key, lengthAs: UInt16.self)
                write(string, lengthAs: UInt32.self)
            case .binary(let bytes):
                writeInteger(1 as UInt8)
                write(key, lengthAs: UInt16.self)
                writeInteger(UInt32(bytes.count), endianness: .little)
                writeBytes(bytes)
            }
        }
    }

    fileprivate mutating func readString<Length: FixedWidthInteger>(lengthAs: Length.Type) throws -> String {
        guard let length = readInteger(endianness: .little, as: Length.self), let string = readString(length: Int(length)) else {
            throw DirectFrame.Malformed()
        }
        return string
    }

    fileprivate mutating func readMetadata() throws -> Metadata {
        guard let count = readInteger(endianness: .little, as: UInt16.self) else { throw DirectFrame.Malformed() }
        var metadata = Metadata()
        for _ in 0..<count {
            guard let isBinary = readInteger(as: UInt8.self) else { throw DirectFrame.Malformed() }
            let key = try readString(lengthAs: UInt16.self)
            if isBinary == 0 {
                metadata.addString(try readString(lengthAs: UInt32.self), forKey: key)
            } else {
                guard key.hasSuffix("-bin"), let length = readInteger(endianness: .little, as: UInt32.self),
                    let bytes = readBytes(length: Int(length))
                else {
                    throw DirectFrame.Malformed()
                }
                metadata.addBinary(bytes, forKey: key)
            }
        }
        return metadata
    }
}
