internal import Core

/// A snapshot of the index with the places from which the segments are to be read again (docs/formats/checkpoint.md).
enum CheckpointFile {
    static let name = "checkpoint"
    static let temporaryName = "checkpoint.new"
    /// "cfCHKPNT" read as little-endian bytes.
    private static let magic: UInt64 = 0x544E_504B_4843_6663
    private static let version: UInt32 = 1
    private static let headerByteCount = 64
    private static let segmentByteCount = 24
    private static let trailerByteCount = 32
    private static let bufferByteCount = 1 << 20

    /// A segment as the checkpoint saw it.
    struct SegmentState: Equatable {
        var number: UInt32
        var isSealed: Bool
        /// Where the records begin that the snapshot does not contain.
        var replayOffset: Int
        var salt: UInt64
    }

    /// All but the entries.
    struct Header: Equatable {
        var indexSalt: UInt64
        var nextSequence: UInt64
        var tombstoneFloor: UInt64
        /// Segments with a lower number that are not listed have been compacted away.
        var nextSegmentNumber: UInt32
        /// An estimate, for sizing the index.
        var expectedFragmentCount: Int
        var segments: [SegmentState]
    }

    // MARK: Writing

    /// Writes front to back, in large pieces.
    struct Writer {
        private let file: any DiskFile
        private var buffer: [UInt8] = []
        private var checksum = CRC32C()
        private(set) var byteCount = 0
        private var fragmentCount: UInt64 = 0
        private var quarantinedCount: UInt64 = 0

        init(file: any DiskFile, header: Header) throws {
            self.file = file
            buffer.reserveCapacity(CheckpointFile.bufferByteCount + IndexEntry.byteCount)
            try append(byteCount: CheckpointFile.headerByteCount) { bytes in
                bytes.store(CheckpointFile.magic, at: 0)
                bytes.store(CheckpointFile.version, at: 8)
                bytes.store(UInt32(header.segments.count), at: 12)
                bytes.store(header.indexSalt, at: 16)
                bytes.store(header.nextSequence, at: 24)
                bytes.store(header.tombstoneFloor, at: 32)
                bytes.store(header.nextSegmentNumber, at: 40)
                bytes.store(UInt64(header.expectedFragmentCount), at: 48)
            }
            for segment in header.segments {
                try append(byteCount: CheckpointFile.segmentByteCount) { bytes in
                    bytes.store(segment.number, at: 0)
                    bytes.store(UInt32(segment.isSealed ? 1 : 0), at: 4)
                    bytes.store(UInt64(segment.replayOffset), at: 8)
                    bytes.store(segment.salt, at: 16)
                }
            }
        }

        /// All entries of fragments come before all of quarantined ones.
        mutating func append(fragment entry: IndexEntry) throws {
            fragmentCount += 1
            try append(byteCount: IndexEntry.byteCount) { entry.encode(into: $0, at: 0) }
        }

        mutating func append(quarantined entry: IndexEntry) throws {
            quarantinedCount += 1
            try append(byteCount: IndexEntry.byteCount) { entry.encode(into: $0, at: 0) }
        }

        /// Ends the file. Not durable yet.
        mutating func finish() throws {
            let (fragments, quarantined) = (fragmentCount, quarantinedCount)
            try append(byteCount: CheckpointFile.trailerByteCount - 8) { bytes in
                bytes.store(fragments, at: 0)
                bytes.store(quarantined, at: 8)
                bytes.store(CheckpointFile.magic, at: 16)
            }
            buffer.withUnsafeBytes { checksum.update($0) }
            let value = checksum.value
            let end = buffer.count
            buffer.append(contentsOf: [UInt8](repeating: 0, count: 8))
            buffer.withUnsafeMutableBytes { $0.store(UInt64(value), at: end) }
            try writeBuffer()
        }

        private mutating func append(byteCount: Int, _ fill: (UnsafeMutableRawBufferPointer) -> Void) throws {
            if buffer.count >= CheckpointFile.bufferByteCount {
                buffer.withUnsafeBytes { checksum.update($0) }
                try writeBuffer()
            }
            let start = buffer.count
            buffer.append(contentsOf: repeatElement(0, count: byteCount))
            buffer.withUnsafeMutableBytes { fill(UnsafeMutableRawBufferPointer(rebasing: $0[start...])) }
        }

        private mutating func writeBuffer() throws {
            try buffer.withUnsafeBytes { try file.write($0, at: byteCount) }
            byteCount += buffer.count
            buffer.removeAll(keepingCapacity: true)
        }
    }

    // MARK: Reading

    /// Why a checkpoint is not used.
    struct Damaged: Error, CustomStringConvertible {
        let description: String
    }

    /// Reads a checkpoint, calling `fragment` and `quarantined` with its entries before it is known to be whole.
    /// - Throws: ``Damaged`` and ``DiskError``: nothing that was handed out may then be used.
    static func read(
        _ file: any DiskFile, begin: (Header) -> Void, fragment: (IndexEntry) -> Void, quarantined: (IndexEntry) -> Void
    ) throws {
        var reader = Reader(file: file, byteCount: try file.byteCount())
        guard reader.remaining >= headerByteCount + trailerByteCount else { throw Damaged(description: "it is cut short") }
        var segmentCount = 0
        var header = try reader.take(headerByteCount) { bytes -> Header? in
            guard bytes.load(at: 0, as: UInt64.self) == magic, bytes.load(at: 8, as: UInt32.self) == version else { return nil }
            segmentCount = Int(bytes.load(at: 12, as: UInt32.self))
            return Header(
                indexSalt: bytes.load(at: 16, as: UInt64.self), nextSequence: bytes.load(at: 24, as: UInt64.self),
                tombstoneFloor: bytes.load(at: 32, as: UInt64.self), nextSegmentNumber: bytes.load(at: 40, as: UInt32.self),
                expectedFragmentCount: Int(truncatingIfNeeded: bytes.load(at: 48, as: UInt64.self)), segments: [])
        }
        guard header != nil else { throw Damaged(description: "it is not a checkpoint of this version") }
        guard segmentCount <= (reader.remaining - trailerByteCount) / segmentByteCount else {
            throw Damaged(description: "its table of segments is cut short")
        }
        for _ in 0..<segmentCount {
            try reader.take(segmentByteCount) { bytes in
                header?.segments.append(
                    SegmentState(
                        number: bytes.load(at: 0, as: UInt32.self), isSealed: bytes.load(at: 4, as: UInt32.self) & 1 != 0,
                        replayOffset: Int(truncatingIfNeeded: bytes.load(at: 8, as: UInt64.self)), salt: bytes.load(at: 16, as: UInt64.self)
                    ))
            }
        }
        guard (reader.remaining - trailerByteCount) % IndexEntry.byteCount == 0 else { throw Damaged(description: "it is cut short") }
        let entryCount = (reader.remaining - trailerByteCount) / IndexEntry.byteCount
        let quarantinedCount = try reader.peekTrailer(trailerByteCount) { bytes -> Int? in
            let fragments = bytes.load(at: 0, as: UInt64.self)
            let quarantined = bytes.load(at: 8, as: UInt64.self)
            guard bytes.load(at: 16, as: UInt64.self) == magic, quarantined <= UInt64(entryCount),
                fragments == UInt64(entryCount) - quarantined
            else { return nil }
            return Int(quarantined)
        }
        guard let quarantinedCount, var header else { throw Damaged(description: "its trailer does not fit its length") }
        header.expectedFragmentCount = entryCount
        begin(header)
        try reader.takeEach(IndexEntry.byteCount, count: entryCount - quarantinedCount) { fragment(IndexEntry(decoding: $0, at: $1)) }
        try reader.takeEach(IndexEntry.byteCount, count: quarantinedCount) { quarantined(IndexEntry(decoding: $0, at: $1)) }
        try reader.take(trailerByteCount - 8) { _ in }
        let checksum = reader.checksum.value
        let expected = try reader.take(8) { $0.load(at: 0, as: UInt64.self) }
        guard UInt64(checksum) == expected else { throw Damaged(description: "its checksum does not match") }
    }

    /// Reads front to back, in large pieces, checksumming what it hands out.
    private struct Reader {
        private let file: any DiskFile
        private let byteCount: Int
        private var buffer: [UInt8] = []
        private var position = 0
        private var fileOffset = 0
        private(set) var checksum = CRC32C()

        var remaining: Int { byteCount - fileOffset + buffer.count - position }

        init(file: any DiskFile, byteCount: Int) {
            self.file = file
            self.byteCount = byteCount
        }

        private mutating func ensure(_ count: Int) throws {
            if buffer.count - position >= count { return }
            buffer.removeFirst(position)
            position = 0
            let kept = buffer.count
            let wanted = min(max(CheckpointFile.bufferByteCount, count), byteCount - fileOffset)
            buffer.append(contentsOf: repeatElement(0, count: wanted))
            let (file, start) = (file, fileOffset)
            let read = try buffer.withUnsafeMutableBytes {
                try file.read(into: UnsafeMutableRawBufferPointer(rebasing: $0[kept...]), at: start)
            }
            guard read == wanted, buffer.count >= count else { throw Damaged(description: "it ends too early") }
            fileOffset += read
        }

        mutating func take<Result>(_ count: Int, _ body: (UnsafeRawBufferPointer) -> Result) throws -> Result {
            try ensure(count)
            defer { position += count }
            return buffer.withUnsafeBytes { bytes in
                let part = UnsafeRawBufferPointer(rebasing: bytes[position..<position + count])
                checksum.update(part)
                return body(part)
            }
        }

        /// Takes `count` equal parts; `body` gets a buffer and the part's offset in it.
        mutating func takeEach(_ size: Int, count: Int, _ body: (UnsafeRawBufferPointer, Int) -> Void) throws {
            var left = count
            while left > 0 {
                try ensure(size)
                let here = min(left, (buffer.count - position) / size)
                buffer.withUnsafeBytes { bytes in
                    checksum.update(UnsafeRawBufferPointer(rebasing: bytes[position..<position + here * size]))
                    for part in 0..<here { body(bytes, position + part * size) }
                }
                position += here * size
                left -= here
            }
        }

        func peekTrailer<Result>(_ count: Int, _ body: (UnsafeRawBufferPointer) -> Result) throws -> Result {
            var trailer = [UInt8](repeating: 0, count: count)
            let read = try trailer.withUnsafeMutableBytes { try file.read(into: $0, at: byteCount - count) }
            guard read == count else { throw Damaged(description: "it ends too early") }
            return trailer.withUnsafeBytes(body)
        }
    }
}
