internal import Core
internal import Logging
internal import NIOCore
import Synchronization

/// Empties a segment: copies what lives in it to segments with room. Waits for the disk.
///
/// Copies keep their sequence numbers, so that replay ranks them as it ranked the originals.
struct SegmentCopier: Sendable {
    let source: Segment
    let engine: Engine
    /// What older tombstones killed can no longer come back.
    let settledSequence: UInt64

    /// Bytes that one call copies and makes durable together, about.
    private static let batchByteCount = 8 << 20
    private static let smallestBatchByteCount = 64 << 10
    private static let readByteCount = 512 * 1024

    private struct Move {
        var id: FragmentID
        var old: FragmentLocation
        var new: FragmentLocation
    }

    func records() throws -> [SegmentScan.Record] {
        let window = FileWindow(file: source.file, fileByteCount: source.byteCount)
        return SegmentScan.scan(source, from: SegmentHeader.byteCount, window: window, fileByteCount: source.byteCount).records
    }

    /// Copies a batch, makes it durable and switches the index over to it.
    /// - Returns: bytes copied, and the record to go on with.
    func copy(_ records: [SegmentScan.Record], from start: Int) throws -> (byteCount: Int, next: Int) {
        let batchByteCount = try roomForBatch()
        let target = try engine.segments.lease()
        defer { engine.segments.release(target) }
        let batch = engine.ledger.drawSettled()
        var moves: [Move] = []
        var next = start
        var offset = target.byteCount
        do {
            while next < records.count, offset - target.byteCount < batchByteCount {
                let record = records[next]
                next += 1
                if let header = try copy(record, to: target, at: offset, batch: batch) {
                    if header.kind == .fragment {
                        let new = FragmentLocation(
                            segment: target.number, offset: offset, payloadByteCount: header.payloadByteCount)
                        moves.append(Move(id: header.id, old: location(of: record), new: new))
                    }
                    offset += header.recordByteCount
                }
            }
            // Under every durability, because the originals go next.
            if offset > target.byteCount { try target.file.synchronizeData() }
        } catch {
            engine.handleFailure(error, of: target)
            throw error
        }
        let byteCount = offset - target.byteCount
        for move in moves { apply(move, target) }
        engine.noteCommitted(target, endOffset: offset)
        punchOut(records[start..<next])
        return (byteCount, next)
    }

    /// Copies may use half of what the disk has left, the reserve included: tombstones and the checkpoint need some too.
    private func roomForBatch() throws -> Int {
        let available = try engine.disk.space().availableBytes
        guard available >= Self.smallestBatchByteCount * 2 else {
            throw ChunkStoreError.diskFull(detail: "\(engine.disk.path): \(available) bytes free are too few to compact")
        }
        return min(Self.batchByteCount, available / 2)
    }

    /// Gives back the room of records that are durable elsewhere, or of no meaning. A crash finds zeros in their place,
    /// which are no records, and the copies.
    private func punchOut(_ records: ArraySlice<SegmentScan.Record>) {
        guard let first = records.first, let last = records.last else { return }
        let blockSize = 4096
        let start = (first.offset + blockSize - 1) / blockSize * blockSize
        let end = (last.offset + last.header.recordByteCount) / blockSize * blockSize
        guard start < end else { return }
        do {
            try source.file.punchHole(offset: start, count: end - start)
            source.punchedByteCount.add(end - start, ordering: .relaxed)
        } catch {
            engine.logger.warning("could not punch a hole", metadata: ["segment": "\(source.name)", "error": "\(error)"])
        }
    }

    private func location(of record: SegmentScan.Record) -> FragmentLocation {
        FragmentLocation(segment: source.number, offset: record.offset, payloadByteCount: record.header.payloadByteCount)
    }

    private func apply(_ move: Move, _ target: Segment) {
        if engine.index.move(move.id, from: move.old, to: move.new) {
            engine.account(move.old, by: -1)
            engine.account(move.new, by: 1)
            return
        }
        // Deleted or replaced meanwhile, by a commit that outranks the copy; but its tombstone must not go before the copy.
        do {
            try target.erase(at: move.new.offset)
        } catch {
            engine.ledger.keepTombstones(from: 0)
        }
    }

    /// - Returns: the header that was written; nil when the record is not needed any more.
    private func copy(_ record: SegmentScan.Record, to target: Segment, at offset: Int, batch: UInt64) throws -> RecordHeader? {
        var header = record.header
        header.batch = batch
        switch header.kind {
        case .erased:
            return nil
        case .tombstone:
            guard header.sequence >= min(settledSequence, engine.ledger.tombstoneFloor) else { return nil }
        case .fragment:
            let location = location(of: record)
            guard engine.index.location(of: header.id) == location else { return nil }
            do {
                try copyContent(header, location, to: target, at: offset)
            } catch let damage as RecordReader.Damage {
                // Leaves what was written so far to be overwritten.
                _ = engine.quarantine(header.id, at: location, detail: damage.detail)
                return nil
            }
        }
        try withUnsafeTemporaryAllocation(byteCount: RecordHeader.byteCount, alignment: 8) { bytes in
            header.encode(into: bytes, salt: target.salt, offset: offset)
            try target.file.write(UnsafeRawBufferPointer(bytes), at: offset)
        }
        return header
    }

    /// All but the header, verified.
    private func copyContent(_ header: RecordHeader, _ location: FragmentLocation, to target: Segment, at offset: Int) throws {
        let reader = RecordReader(id: header.id, location: location, segment: source)
        let (table, first) = try reader.readFirst(0..<min(Self.readByteCount, header.payloadByteCount))
        let descriptor = try reader.readDescriptor()
        var piece = first
        var position = 0
        while let current = piece {
            try current.bytes.withUnsafeReadableBytes {
                try target.file.write($0, at: offset + RecordHeader.byteCount + position)
            }
            position += current.bytes.readableBytes
            let end = min(position + Self.readByteCount, header.payloadByteCount)
            piece = position < end ? try reader.read(position..<end, table: table) : nil
        }
        let tail = FragmentTail(checksums: table, descriptor: descriptor, payloadByteCount: header.payloadByteCount)
        try tail.bytes.withUnsafeBytes { try target.file.write($0, at: offset + header.tableOffset) }
    }

    /// What the index still has in the emptied segment could not be found there: its header is damaged.
    func quarantineLeftovers() {
        guard source.liveByteCount.load(ordering: .relaxed) != 0 else { return }
        engine.index.forEachShard { entries, _ in
            for entry in entries where entry.location.segment == source.number {
                _ = engine.quarantine(entry.id, at: entry.location, detail: "its header is damaged")
            }
        }
    }
}
