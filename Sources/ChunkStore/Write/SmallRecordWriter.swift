internal import Core
internal import CoreMetrics
internal import NIOCore
import Synchronization

/// Writes what is small (fragments up to a limit, and tombstones) in batches: one write and one fdatasync serve all that
/// arrived meanwhile.
final class SmallRecordWriter: Sendable {
    struct Fragment: Sendable {
        var id: FragmentID
        var pieces: [ByteBuffer]
        var payloadByteCount: Int
        var tail: FragmentTail
        var descriptorByteCount: Int

        var recordByteCount: Int { RecordHeader.byteCount + payloadByteCount + tail.bytes.count }
    }

    enum Item: Sendable {
        case fragment(Fragment)
        case tombstones([FragmentID])

        var byteCount: Int {
            switch self {
            case .fragment(let fragment): fragment.recordByteCount
            case .tombstones(let ids): ids.count * RecordHeader.byteCount
            }
        }

        var isFragment: Bool { if case .fragment = self { true } else { false } }
    }

    /// Items that one fdatasync serves.
    private static let maximumBatch = 512

    private let commits: GroupCommit<Item, [Engine.Garbage]>

    init(engine: Engine, executor: any BlockingExecutor) {
        let batches = BatchWriter(engine: engine)
        commits = GroupCommit(maximumBatch: Self.maximumBatch, executor: executor) { batches.commit($0) }
    }

    /// Waits until `item` is durable and in the index.
    /// - Returns: what is dead now, for the caller to reclaim.
    /// - Throws: ``DiskError``, ``ChunkStoreError``.
    func commit(_ item: Item) async throws -> [Engine.Garbage] { try await commits.submit(item) }
}

/// The state of the one worker behind ``SmallRecordWriter``.
private final class BatchWriter: Sendable {
    private struct Record {
        var item: Int
        var id: FragmentID
        var sequence: UInt64
        /// nil for a tombstone.
        var location: FragmentLocation?
    }

    /// Bytes gathered for one write.
    private static let writeByteCount = 4 << 20

    private struct State {
        /// Leased for as long as it has room.
        var segment: Segment?
        var buffer: [UInt8] = []
    }

    private let engine: Engine
    private let state = Mutex(State())

    init(engine: Engine) { self.engine = engine }

    func commit(_ items: [SmallRecordWriter.Item]) -> [Result<[Engine.Garbage], any Error>] {
        StoreMetrics.batchSize.record(items.count)
        return StoreMetrics.measure(StoreMetrics.commitTime) {
            // Only one batch is handled at a time: the lock is never waited for.
            state.withLock { state in
                let fragmentBytes = items.reduce(0) { $0 + ($1.isFragment ? $1.byteCount : 0) }
                do {
                    if fragmentBytes > 0 { try engine.requireSpace(fragmentBytes) }
                    return try write(items, &state).map { .success($0) }
                } catch {
                    return handle(error, items, &state)
                }
            }
        }
    }

    /// Deletions go on where fragments find no room.
    private func handle(_ error: any Error, _ items: [SmallRecordWriter.Item], _ state: inout State) -> [Result<
        [Engine.Garbage], any Error
    >] {
        let tombstones = items.filter { !$0.isFragment }
        guard !tombstones.isEmpty, tombstones.count < items.count else { return items.map { _ in .failure(error) } }
        let results: [Result<[Engine.Garbage], any Error>]
        do {
            results = try write(tombstones, &state).map { .success($0) }
        } catch {
            results = tombstones.map { _ in .failure(error) }
        }
        var next = results.makeIterator()
        return items.map { $0.isFragment ? .failure(error) : next.next() ?? .failure(error) }
    }

    private func write(_ items: [SmallRecordWriter.Item], _ state: inout State) throws -> [[Engine.Garbage]] {
        let segment = try segmentWithRoom(&state)
        var records: [Record] = []
        let end: Int
        do {
            end = try append(items, to: segment, &state.buffer, &records)
            try engine.makeDurable(segment)
        } catch {
            for record in records {
                engine.index.abandon(record.id, mayBeOnDisk: true)
                engine.ledger.settle(record.sequence)
            }
            state.buffer.removeAll(keepingCapacity: true)
            engine.handleFailure(error, of: segment)
            throw error
        }
        var garbage = [[Engine.Garbage]](repeating: [], count: items.count)
        for record in records {
            let dead =
                record.location.map { engine.apply(fragment: record.id, sequence: record.sequence, at: $0) }
                ?? engine.apply(tombstone: record.id, sequence: record.sequence)
            if let dead { garbage[record.item].append(dead) }
        }
        engine.noteCommitted(segment, endOffset: end)
        return garbage
    }

    private func segmentWithRoom(_ state: inout State) throws -> Segment {
        if let segment = state.segment {
            if engine.segments.hasRoom(segment) { return segment }
            engine.segments.release(segment)
            state.segment = nil
        }
        let segment = try engine.segments.lease()
        state.segment = segment
        return segment
    }

    /// - Returns: where the records end.
    private func append(
        _ items: [SmallRecordWriter.Item], to segment: Segment, _ buffer: inout [UInt8], _ records: inout [Record]
    ) throws -> Int {
        var flushed = segment.byteCount
        var batch: UInt64?
        func begin(_ id: FragmentID, item: Int) -> (sequence: UInt64, batch: UInt64) {
            engine.index.begin(id)
            let sequence = engine.ledger.draw()
            records.append(Record(item: item, id: id, sequence: sequence))
            batch = batch ?? sequence
            return (sequence, batch ?? sequence)
        }
        for (number, item) in items.enumerated() {
            switch item {
            case .fragment(let fragment):
                let offset = flushed + buffer.count
                let (sequence, batch) = begin(fragment.id, item: number)
                records[records.count - 1].location = FragmentLocation(
                    segment: segment.number, offset: offset, payloadByteCount: fragment.payloadByteCount)
                let header = RecordHeader(
                    kind: .fragment, id: fragment.id, payloadByteCount: fragment.payloadByteCount,
                    descriptorByteCount: fragment.descriptorByteCount, sequence: sequence, batch: batch,
                    tableChecksum: fragment.tail.tableChecksum, descriptorChecksum: fragment.tail.descriptorChecksum)
                Self.append(header, to: &buffer, salt: segment.salt, offset: offset)
                for piece in fragment.pieces { piece.withUnsafeReadableBytes { buffer.append(contentsOf: $0) } }
                buffer.append(contentsOf: fragment.tail.bytes)
            case .tombstones(let ids):
                for id in ids {
                    let (sequence, batch) = begin(id, item: number)
                    let header = RecordHeader(
                        kind: .tombstone, id: id, payloadByteCount: 0, descriptorByteCount: 0, sequence: sequence, batch: batch,
                        tableChecksum: 0, descriptorChecksum: 0)
                    Self.append(header, to: &buffer, salt: segment.salt, offset: flushed + buffer.count)
                }
            }
            if buffer.count >= Self.writeByteCount { try flush(&buffer, to: segment, at: &flushed) }
        }
        try flush(&buffer, to: segment, at: &flushed)
        return flushed
    }

    private static func append(_ header: RecordHeader, to buffer: inout [UInt8], salt: UInt64, offset: Int) {
        let start = buffer.count
        buffer.append(contentsOf: repeatElement(0, count: RecordHeader.byteCount))
        buffer.withUnsafeMutableBytes { bytes in
            header.encode(into: UnsafeMutableRawBufferPointer(rebasing: bytes[start...]), salt: salt, offset: offset)
        }
    }

    private func flush(_ buffer: inout [UInt8], to segment: Segment, at offset: inout Int) throws {
        try buffer.withUnsafeBytes { try segment.file.write($0, at: offset) }
        offset += buffer.count
        buffer.removeAll(keepingCapacity: true)
    }
}
