public import Core
internal import DirectTransport
public import GRPCCore
internal import NIOCore

/// A message of the streams that carry fragments: raw bytes, not a protobuf field that would be copied once more.
///
/// One tag byte, then for a header: an encoded protobuf message; for a piece: the number of blocks (16 bits, little-endian),
/// their checksums (32 bits each, little-endian), the bytes; for the end: the number of payload bytes sent (64 bits,
/// little-endian) and, on a put, the fragment's descriptor, which may not be known before. A stream without its end frame was
/// broken off, whatever gRPC says of it.
public enum TransferFrame: Sendable {
    case header([UInt8])
    case piece(Piece)
    /// A piece that is sent from the file that it is in. It arrives as a ``piece(_:)``.
    case stored(FileSlice, checksums: [UInt32])
    case end(byteCount: Int, descriptor: [UInt8] = [])

    /// The largest frame in bytes: a full piece, its checksums, and room for what gRPC puts around it.
    public static let maximumSize = Piece.maximumSize + 64 * 1024

    fileprivate static let headerTag: UInt8 = 1
    fileprivate static let pieceTag: UInt8 = 2
    fileprivate static let endTag: UInt8 = 3
    /// Bytes of an end frame without a descriptor.
    fileprivate static let shortestEnd = 1 + 8
}

/// A frame that does not follow the protocol.
public struct MalformedFrame: Error, Hashable, Sendable {
    public init() {}
}

public struct TransferFrameSerializer: MessageSerializer {
    public init() {}

    public func serialize<Bytes: GRPCContiguousBytes>(_ frame: TransferFrame) throws -> Bytes {
        switch frame {
        case .header(let message):
            return Bytes(CollectionOfOne(TransferFrame.headerTag) + message)
        case .end(let byteCount, let descriptor):
            return fill(TransferFrame.shortestEnd + descriptor.count) { bytes in
                bytes[0] = TransferFrame.endTag
                bytes.storeBytes(of: UInt64(byteCount).littleEndian, toByteOffset: 1, as: UInt64.self)
                UnsafeMutableRawBufferPointer(rebasing: bytes[TransferFrame.shortestEnd...]).copyBytes(from: descriptor)
            }
        case .piece(let piece):
            let prefix = 1 + 2 + 4 * piece.checksums.count
            if let gathered = Bytes.self as? any GatheredBytes.Type,
                let bytes = gathered.init(head: head(piece.checksums), payload: piece.bytes) as? Bytes
            {
                return bytes
            }
            return fill(prefix + piece.bytes.readableBytes) { bytes in
                bytes[0] = TransferFrame.pieceTag
                bytes.storeBytes(of: UInt16(piece.checksums.count).littleEndian, toByteOffset: 1, as: UInt16.self)
                for (index, checksum) in piece.checksums.enumerated() {
                    bytes.storeBytes(of: checksum.littleEndian, toByteOffset: 3 + 4 * index, as: UInt32.self)
                }
                piece.bytes.withUnsafeReadableBytes { payload in
                    UnsafeMutableRawBufferPointer(rebasing: bytes[prefix...]).copyMemory(from: payload)
                }
            }
        case .stored(let slice, let checksums):
            if let gathered = Bytes.self as? any GatheredBytes.Type,
                let bytes = gathered.init(head: head(checksums), file: slice) as? Bytes
            {
                return bytes
            }
            return try serialize(.piece(Piece(bytes: try slice.read(), checksums: checksums)))
        }
    }

    private func head(_ checksums: [UInt32]) -> ByteBuffer {
        var head = ByteBufferAllocator().buffer(capacity: 1 + 2 + 4 * checksums.count)
        head.writeInteger(TransferFrame.pieceTag)
        head.writeInteger(UInt16(checksums.count), endianness: .little)
        for checksum in checksums { head.writeInteger(checksum, endianness: .little) }
        return head
    }

    private func fill<Bytes: GRPCContiguousBytes>(_ count: Int, _ body: (UnsafeMutableRawBufferPointer) -> Void) -> Bytes {
        var bytes = Bytes(repeating: 0, count: count)
        bytes.withUnsafeMutableBytes { body($0) }
        return bytes
    }
}

public struct TransferFrameDeserializer: MessageDeserializer {
    public init() {}

    public func deserialize<Bytes: GRPCContiguousBytes>(_ serialized: Bytes) throws -> TransferFrame {
        if let gathered = serialized as? any GatheredBytes {
            let (head, payload) = gathered.parts
            if head.readableBytes > 0 { return .piece(try piece(head: head, payload: payload)) }
        }
        return try serialized.withUnsafeBytes { bytes in
            switch bytes.first {
            case TransferFrame.headerTag: return .header(Array(bytes.dropFirst()))
            case TransferFrame.endTag:
                guard bytes.count >= TransferFrame.shortestEnd else { throw MalformedFrame() }
                let count = UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: 1, as: UInt64.self))
                guard let byteCount = Int(exactly: count) else { throw MalformedFrame() }
                return .end(byteCount: byteCount, descriptor: Array(bytes.dropFirst(TransferFrame.shortestEnd)))
            case TransferFrame.pieceTag: return .piece(try piece(bytes))
            default: throw MalformedFrame()
            }
        }
    }

    /// A piece whose bytes need not be copied.
    private func piece(head: ByteBuffer, payload: ByteBuffer) throws -> Piece {
        var head = head
        guard head.readInteger(as: UInt8.self) == TransferFrame.pieceTag,
            let count = head.readInteger(endianness: .little, as: UInt16.self).map(Int.init), head.readableBytes == 4 * count,
            payload.readableBytes > 0, payload.readableBytes <= Piece.maximumSize,
            Piece.blockCount(forByteCount: payload.readableBytes) == count
        else { throw MalformedFrame() }
        let checksums = (0..<count).compactMap { _ in head.readInteger(endianness: .little, as: UInt32.self) }
        return Piece(bytes: payload, checksums: checksums)
    }

    private func piece(_ bytes: UnsafeRawBufferPointer) throws -> Piece {
        guard bytes.count >= 3 else { throw MalformedFrame() }
        let count = Int(UInt16(littleEndian: bytes.loadUnaligned(fromByteOffset: 1, as: UInt16.self)))
        let prefix = 3 + 4 * count
        let payloadCount = bytes.count - prefix
        guard payloadCount > 0, payloadCount <= Piece.maximumSize, Piece.blockCount(forByteCount: payloadCount) == count else {
            throw MalformedFrame()
        }
        let checksums = (0..<count).map { UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: 3 + 4 * $0, as: UInt32.self)) }
        let payload = ByteBuffer(bytes: UnsafeRawBufferPointer(rebasing: bytes[prefix...]))
        return Piece(bytes: payload, checksums: checksums)
    }
}
