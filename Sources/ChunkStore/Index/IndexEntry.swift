package import Core

/// Where a record begins, and how much payload it has.
package struct FragmentLocation: Hashable, Sendable {
    package var segment: UInt32
    /// Of the record's header, in bytes; a multiple of ``RecordHeader/alignment``.
    package var offset: Int
    package var payloadByteCount: Int

    package init(segment: UInt32, offset: Int, payloadByteCount: Int) {
        self.segment = segment
        self.offset = offset
        self.payloadByteCount = payloadByteCount
    }

    /// The record without its descriptor, whose length only the disk knows.
    package var approximateRecordByteCount: Int {
        RecordHeader.byteCount + payloadByteCount + RecordHeader.tableByteCount(payloadByteCount: payloadByteCount)
    }
}

/// A fragment's name and place in 32 bytes: the unit of the index, and of checkpoints.
package struct IndexEntry: Equatable, Sendable {
    package static let byteCount = 32

    package var blobHigh: UInt64
    package var blobLow: UInt64
    /// Chunk index (32 bits), fragment number (8), segment (24); segment 0 marks an empty slot.
    package var nameAndSegment: UInt64
    /// Offset in units of ``RecordHeader/alignment`` (32 bits), payload bytes (32).
    package var place: UInt64

    package static let empty = IndexEntry(blobHigh: 0, blobLow: 0, nameAndSegment: 0, place: 0)

    package init(blobHigh: UInt64, blobLow: UInt64, nameAndSegment: UInt64, place: UInt64) {
        self.blobHigh = blobHigh
        self.blobLow = blobLow
        self.nameAndSegment = nameAndSegment
        self.place = place
    }

    package init(id: FragmentID, location: FragmentLocation) {
        blobHigh = id.chunk.blob.uuid.high
        blobLow = id.chunk.blob.uuid.low
        nameAndSegment = Self.name(id) << 24 | UInt64(location.segment)
        place = UInt64(location.offset / RecordHeader.alignment) << 32 | UInt64(location.payloadByteCount)
    }

    private static func name(_ id: FragmentID) -> UInt64 { UInt64(id.chunk.index) << 8 | UInt64(id.number) }

    package var isEmpty: Bool { nameAndSegment & 0xFF_FFFF == 0 }

    package var id: FragmentID {
        FragmentID(
            chunk: ChunkID(
                blob: BlobID(uuid: UUIDv7(high: blobHigh, low: blobLow)), index: UInt32(truncatingIfNeeded: nameAndSegment >> 32)),
            number: UInt8(truncatingIfNeeded: nameAndSegment >> 24))
    }

    package var location: FragmentLocation {
        FragmentLocation(
            segment: UInt32(truncatingIfNeeded: nameAndSegment & 0xFF_FFFF), offset: Int(place >> 32) * RecordHeader.alignment,
            payloadByteCount: Int(place & 0xFFFF_FFFF))
    }

    package func isNamed(_ id: FragmentID) -> Bool {
        blobLow == id.chunk.blob.uuid.low && blobHigh == id.chunk.blob.uuid.high && nameAndSegment >> 24 == Self.name(id)
    }

    package func hash(salt: UInt64) -> UInt64 { mix64(mix64(mix64(salt ^ blobHigh) ^ blobLow) ^ nameAndSegment >> 24) }

    package static func hash(_ id: FragmentID, salt: UInt64) -> UInt64 {
        mix64(mix64(mix64(salt ^ id.chunk.blob.uuid.high) ^ id.chunk.blob.uuid.low) ^ name(id))
    }

    package func encode(into bytes: UnsafeMutableRawBufferPointer, at offset: Int) {
        bytes.store(blobHigh, at: offset)
        bytes.store(blobLow, at: offset + 8)
        bytes.store(nameAndSegment, at: offset + 16)
        bytes.store(place, at: offset + 24)
    }

    package init(decoding bytes: UnsafeRawBufferPointer, at offset: Int) {
        blobHigh = bytes.load(at: offset, as: UInt64.self)
        blobLow = bytes.load(at: offset + 8, as: UInt64.self)
        nameAndSegment = bytes.load(at: offset + 16, as: UInt64.self)
        place = bytes.load(at: offset + 24, as: UInt64.self)
    }
}
