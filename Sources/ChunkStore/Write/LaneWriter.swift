internal import Core
internal import CoreMetrics
internal import NIOCore
import Synchronization

/// One large fragment on its way into a segment that is leased for it alone.
///
/// The payload is written as it arrives, behind room for the header; the header comes last, so that up to then nothing is
/// there. Used by one task.
final class LaneWriter: Sendable {
    private let engine: Engine
    private let segment: Segment
    private let id: FragmentID
    /// Of the record.
    private let start: Int
    private let written = Atomic<Int>(0)

    init(id: FragmentID, segment: Segment, engine: Engine) {
        self.engine = engine
        self.segment = segment
        self.id = id
        start = segment.byteCount
    }

    /// Appends to the payload. Waits for the disk.
    /// - Throws: ``ChunkStoreError``, ``DiskError``.
    func write(_ pieces: [Piece]) throws {
        let byteCount = pieces.reduce(0) { $0 + $1.bytes.readableBytes }
        try engine.requireSpace(byteCount)
        let begin = start + RecordHeader.byteCount + written.load(ordering: .relaxed)
        var offset = begin
        for piece in pieces {
            guard piece.verify() else { throw ChunkStoreError.damagedInTransit(id) }
            try piece.bytes.withUnsafeReadableBytes { try segment.file.write($0, at: offset) }
            offset += piece.bytes.readableBytes
        }
        if engine.configuration.durability == .fsync { segment.file.startWriteback(offset: begin, count: byteCount) }
        written.add(byteCount, ordering: .relaxed)
    }

    /// Ends the record, makes it durable and puts it into the index. Waits for the disk.
    /// - Returns: what is dead now, for the caller to reclaim.
    func commit(checksums: [UInt32], descriptor: [UInt8]) throws -> Engine.Garbage? {
        StoreMetrics.batchSize.record(1)
        return try StoreMetrics.measure(StoreMetrics.commitTime) { try writeRecord(checksums: checksums, descriptor: descriptor) }
    }

    private func writeRecord(checksums: [UInt32], descriptor: [UInt8]) throws -> Engine.Garbage? {
        let payloadByteCount = written.load(ordering: .relaxed)
        let tail = FragmentTail(checksums: checksums, descriptor: descriptor, payloadByteCount: payloadByteCount)
        engine.index.begin(id)
        let sequence = engine.ledger.draw()
        let header = RecordHeader(
            kind: .fragment, id: id, payloadByteCount: payloadByteCount, descriptorByteCount: descriptor.count, sequence: sequence,
            batch: sequence, tableChecksum: tail.tableChecksum, descriptorChecksum: tail.descriptorChecksum)
        do {
            try tail.bytes.withUnsafeBytes { try segment.file.write($0, at: start + header.tableOffset) }
            try withUnsafeTemporaryAllocation(byteCount: RecordHeader.byteCount, alignment: 8) { bytes in
                header.encode(into: bytes, salt: segment.salt, offset: start)
                try segment.file.write(UnsafeRawBufferPointer(bytes), at: start)
            }
            try engine.makeDurable(segment)
        } catch {
            engine.index.abandon(id, mayBeOnDisk: true)
            engine.ledger.settle(sequence)
            throw error
        }
        let location = FragmentLocation(segment: segment.number, offset: start, payloadByteCount: payloadByteCount)
        let garbage = engine.apply(fragment: id, sequence: sequence, at: location)
        engine.noteCommitted(segment, endOffset: start + header.recordByteCount)
        return garbage
    }

    /// Takes back what was written. Waits for the disk.
    func abort(_ error: any Error) { engine.handleFailure(error, of: segment) }
}
