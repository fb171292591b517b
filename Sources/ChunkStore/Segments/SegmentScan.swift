internal import Core

/// What a walk over the records of a segment found.
struct SegmentScan {
    struct Record {
        var header: RecordHeader
        var offset: Int
    }

    /// In the order of the file.
    var records: [Record] = []
    /// Stretches between intact records that are no record.
    var damage: [Range<Int>] = []
    /// Where the last intact record ends: what follows is not a record.
    var endOffset: Int
    var fileByteCount: Int

    var hasTornTail: Bool { endOffset < fileByteCount }
    /// The records of the latest batch may have been cut off by a crash before their fdatasync.
    var lastBatch: UInt64 { records.map(\.header.batch).max() ?? 0 }

    /// Walks from `start`, the beginning of a record, to the end of the file.
    static func scan(_ segment: Segment, from start: Int, window: FileWindow, fileByteCount: Int) -> SegmentScan {
        var scan = SegmentScan(endOffset: start, fileByteCount: fileByteCount)
        var offset = start
        while let next = nextRecord(salt: segment.salt, from: offset, window: window, fileByteCount: fileByteCount) {
            if next.offset > offset { scan.damage.append(offset..<next.offset) }
            scan.records.append(next)
            offset = next.offset + next.header.recordByteCount
            scan.endOffset = offset
        }
        return scan
    }

    /// The first intact header at or after `offset` whose record lies within the file.
    private static func nextRecord(salt: UInt64, from offset: Int, window: FileWindow, fileByteCount: Int) -> Record? {
        var offset = offset
        while let bytes = window.bytes(at: offset, count: RecordHeader.byteCount) {
            if let header = RecordHeader.decode(bytes, salt: salt, offset: offset), offset + header.recordByteCount <= fileByteCount {
                return Record(header: header, offset: offset)
            }
            offset += RecordHeader.alignment
        }
        return nil
    }
}
