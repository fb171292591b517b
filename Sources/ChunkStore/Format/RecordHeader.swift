internal import Core

/// What a record of a segment is.
enum RecordKind: UInt8 {
    /// A fragment.
    case fragment = 1
    /// The deletion of a fragment: kills every record of its name with a lower sequence number.
    case tombstone = 2
    /// A fragment that was deleted or replaced: of no meaning, but its lengths lead to the next record.
    case erased = 3
}

/// The fixed 64 bytes before each record of a segment (docs/formats/segment.md).
///
/// Records begin at multiples of 64 bytes, so a header never crosses a sector and is written whole or not at all.
struct RecordHeader: Equatable {
    static let byteCount = 64
    /// Records begin at multiples of this many bytes.
    static let alignment = 64

    var kind: RecordKind
    var id: FragmentID
    var payloadByteCount: Int
    var descriptorByteCount: Int
    /// Decides between records of one name: the highest counts.
    var sequence: UInt64
    /// Equal for the records that one fdatasync made durable; later batches of a segment have higher numbers.
    var batch: UInt64
    /// CRC-32C of the block checksum table.
    var tableChecksum: UInt32
    var descriptorChecksum: UInt32

    var tableByteCount: Int { Self.tableByteCount(payloadByteCount: payloadByteCount) }
    /// From the record's start to its block checksum table.
    var tableOffset: Int { Self.byteCount + payloadByteCount }
    /// From the record's start to its descriptor.
    var descriptorOffset: Int { tableOffset + tableByteCount }
    /// The whole record, padding included.
    var recordByteCount: Int { Self.aligned(descriptorOffset + descriptorByteCount) }

    static func tableByteCount(payloadByteCount: Int) -> Int { 4 * Piece.blockCount(forByteCount: payloadByteCount) }
    static func aligned(_ count: Int) -> Int { (count + alignment - 1) / alignment * alignment }

    /// Differs for every place of every segment and cannot be guessed without the segment's salt, so that no payload can
    /// contain what would be taken for a header, and no header can be taken for one of another place.
    static func mark(salt: UInt64, offset: Int) -> UInt64 { mix64(salt &+ UInt64(offset)) }

    func encode(into bytes: UnsafeMutableRawBufferPointer, salt: UInt64, offset: Int) {
        precondition(bytes.count >= Self.byteCount && offset % Self.alignment == 0)
        bytes.store(Self.mark(salt: salt, offset: offset), at: 0)
        bytes.store(id.chunk.blob.uuid.high, at: 8)
        bytes.store(id.chunk.blob.uuid.low, at: 16)
        bytes.store(id.chunk.index, at: 24)
        bytes.store(UInt32(payloadByteCount), at: 28)
        bytes.store(sequence, at: 32)
        bytes.store(batch, at: 40)
        bytes.store(tableChecksum, at: 48)
        bytes.store(UInt16(descriptorByteCount), at: 52)
        bytes.store(id.number, at: 54)
        bytes.store(kind.rawValue, at: 55)
        bytes.store(descriptorChecksum, at: 56)
        bytes.store(Self.checksum(UnsafeRawBufferPointer(bytes), salt: salt), at: 60)
    }

    /// - Returns: nil unless the bytes are a header that was written to this place of this segment.
    static func decode(_ bytes: UnsafeRawBufferPointer, salt: UInt64, offset: Int) -> RecordHeader? {
        guard bytes.count >= byteCount, bytes.load(at: 0, as: UInt64.self) == mark(salt: salt, offset: offset),
            bytes.load(at: 60, as: UInt32.self) == checksum(bytes, salt: salt),
            let kind = RecordKind(rawValue: bytes.load(at: 55, as: UInt8.self))
        else { return nil }
        let blob = BlobID(uuid: UUIDv7(high: bytes.load(at: 8, as: UInt64.self), low: bytes.load(at: 16, as: UInt64.self)))
        return RecordHeader(
            kind: kind,
            id: FragmentID(
                chunk: ChunkID(blob: blob, index: bytes.load(at: 24, as: UInt32.self)), number: bytes.load(at: 54, as: UInt8.self)),
            payloadByteCount: Int(bytes.load(at: 28, as: UInt32.self)),
            descriptorByteCount: Int(bytes.load(at: 52, as: UInt16.self)),
            sequence: bytes.load(at: 32, as: UInt64.self), batch: bytes.load(at: 40, as: UInt64.self),
            tableChecksum: bytes.load(at: 48, as: UInt32.self), descriptorChecksum: bytes.load(at: 56, as: UInt32.self))
    }

    private static func checksum(_ bytes: UnsafeRawBufferPointer, salt: UInt64) -> UInt32 {
        CRC32C.checksum(UnsafeRawBufferPointer(rebasing: bytes[0..<60]), continuing: UInt32(truncatingIfNeeded: salt))
    }
}

extension UnsafeMutableRawBufferPointer {
    /// Little-endian, at any alignment.
    func store<Number: FixedWidthInteger & BitwiseCopyable>(_ number: Number, at offset: Int) {
        storeBytes(of: number.littleEndian, toByteOffset: offset, as: Number.self)
    }
}

extension UnsafeRawBufferPointer {
    /// Little-endian, at any alignment.
    func load<Number: FixedWidthInteger & BitwiseCopyable>(at offset: Int, as type: Number.Type) -> Number {
        Number(littleEndian: loadUnaligned(fromByteOffset: offset, as: Number.self))
    }
}
