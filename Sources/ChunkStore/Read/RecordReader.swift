internal import Core
internal import NIOCore

/// Reads one record, verifying everything. Waits for the disk, unless it is told not to.
struct RecordReader: Sendable {
    /// The record is not what was written, or cannot be read.
    struct Damage: Error {
        let detail: String
    }

    /// What was asked for is not in memory.
    struct NotCached: Error {}

    let id: FragmentID
    let location: FragmentLocation
    let segment: Segment
    /// Whether ``NotCached`` is thrown where the disk would have to be waited for.
    var isHasty = false
    /// Whether, in haste, of a large payload only the place is told.
    var leavesUnread = false

    /// Payloads up to this many bytes are read together with their header and table.
    private static let wholeByteCount = 512 * 1024

    /// Checks the header and the table, and reads `range`, which begins and ends at blocks.
    /// - Returns: nil as the piece for an empty range.
    /// - Throws: ``Damage``.
    func readFirst(_ range: Range<Int>) throws -> (table: [UInt32], piece: Piece?) {
        guard location.payloadByteCount <= Self.wholeByteCount else {
            let table = try readTable()
            return (table, range.isEmpty ? nil : try read(range, table: table))
        }
        let whole = try bytes(at: 0, count: tableOffset + tableByteCount)
        guard let head = whole.getSlice(at: whole.readerIndex, length: RecordHeader.byteCount),
            let tail = whole.getSlice(at: whole.readerIndex + tableOffset, length: tableByteCount),
            let payload = whole.getSlice(at: whole.readerIndex + RecordHeader.byteCount + range.lowerBound, length: range.count)
        else { throw Damage(detail: "the record is cut short") }
        let table = try table(in: tail, try header(in: head))
        return (table, range.isEmpty ? nil : try verified(payload, at: range.lowerBound, table: table))
    }

    /// Checks the header and the table, and reads `range`, or tells where it is.
    /// - Returns: nil as the piece for an empty range.
    /// - Throws: ``Damage``.
    func findFirst(_ range: Range<Int>) throws -> (table: [UInt32], piece: StoredPiece?) {
        guard leavesUnread, location.payloadByteCount > Self.wholeByteCount, !range.isEmpty else {
            let (table, piece) = try readFirst(range)
            return (table, piece.map { .verified($0) })
        }
        let table = try readTable()
        return (table, try find(range, table: table))
    }

    private func readTable() throws -> [UInt32] {
        let header = try header(in: try bytes(at: 0, count: RecordHeader.byteCount))
        return try table(in: try bytes(at: tableOffset, count: tableByteCount), header)
    }

    private var tableOffset: Int { RecordHeader.byteCount + location.payloadByteCount }
    private var tableByteCount: Int { RecordHeader.tableByteCount(payloadByteCount: location.payloadByteCount) }

    private func checksums(of range: Range<Int>, _ table: [UInt32]) -> [UInt32] {
        let first = range.lowerBound / Piece.blockSize
        return Array(table[first..<first + Piece.blockCount(forByteCount: range.count)])
    }

    /// - Throws: ``Damage``.
    func read(_ range: Range<Int>, table: [UInt32]) throws -> Piece {
        try verified(try bytes(at: RecordHeader.byteCount + range.lowerBound, count: range.count), at: range.lowerBound, table: table)
    }

    /// Reads `range`, or tells where it is.
    /// - Throws: ``Damage``.
    func find(_ range: Range<Int>, table: [UInt32]) throws -> StoredPiece {
        let offset = location.offset + RecordHeader.byteCount + range.lowerBound
        if leavesUnread, isHasty, let slice = segment.file.sliceIfCached(offset: offset, count: range.count) {
            return .unread(slice, checksums: checksums(of: range, table))
        }
        return .verified(try read(range, table: table))
    }

    /// - Throws: ``Damage``.
    func readDescriptor() throws -> [UInt8] {
        let header = try header(in: try bytes(at: 0, count: RecordHeader.byteCount))
        let descriptor = [UInt8](buffer: try bytes(at: header.descriptorOffset, count: header.descriptorByteCount))
        guard CRC32C.checksum(descriptor) == header.descriptorChecksum else { throw Damage(detail: "its descriptor fails the checksum") }
        return descriptor
    }

    private func header(in buffer: ByteBuffer) throws -> RecordHeader {
        let header = buffer.withUnsafeReadableBytes { RecordHeader.decode($0, salt: segment.salt, offset: location.offset) }
        guard let header, header.kind == .fragment, header.id == id, header.payloadByteCount == location.payloadByteCount else {
            throw Damage(detail: "its header is damaged")
        }
        return header
    }

    private func table(in buffer: ByteBuffer, _ header: RecordHeader) throws -> [UInt32] {
        try buffer.withUnsafeReadableBytes { bytes in
            guard CRC32C.checksum(bytes) == header.tableChecksum else { throw Damage(detail: "its checksum table is damaged") }
            return (0..<bytes.count / 4).map { bytes.load(at: 4 * $0, as: UInt32.self) }
        }
    }

    private func verified(_ payload: ByteBuffer, at offset: Int, table: [UInt32]) throws -> Piece {
        let piece = Piece(bytes: payload, checksums: checksums(of: offset..<offset + payload.readableBytes, table))
        guard piece.verify() else { throw Damage(detail: "a block of \(offset)..<\(offset + payload.readableBytes) fails its checksum") }
        return piece
    }

    /// Reads from the record, twice if the disk wants it: one failure may be a passing one.
    private func bytes(at offset: Int, count: Int) throws -> ByteBuffer {
        var buffer = ByteBuffer()
        buffer.reserveCapacity(count)
        if isHasty {
            let isRead = buffer.writeWithUnsafeMutableBytes(minimumWritableBytes: count) { free in
                segment.file.readIfCached(into: UnsafeMutableRawBufferPointer(rebasing: free[0..<count]), at: location.offset + offset)
                    ? count : 0
            }
            guard isRead == count else { throw NotCached() }
            return buffer
        }
        for isLast in [false, true] {
            do {
                try buffer.writeWithUnsafeMutableBytes(minimumWritableBytes: count) { free in
                    try segment.file.read(into: UnsafeMutableRawBufferPointer(rebasing: free[0..<count]), at: location.offset + offset)
                }
                break
            } catch {
                if isLast { throw Damage(detail: "it cannot be read: \(error)") }
            }
        }
        guard buffer.readableBytes == count else { throw Damage(detail: "the record is cut short") }
        return buffer
    }
}
