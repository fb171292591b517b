internal import Core
internal import Logging
import Synchronization

/// Rebuilds the index of a data directory: the checkpoint, then the records written after it (or all records, without one).
///
/// Every record read again is verified down to its payload, because a crash can leave a header without its payload; that
/// is also why, between two intact records of a name, the sequence number decides, and a newer one that is not intact
/// gives way to an older one that is.
struct Recovery {
    struct Outcome {
        var index: FragmentIndex
        var segments: [Segment]
        var nextSegmentNumber: UInt32
        var nextSequence: UInt64
        var tombstoneFloor: UInt64
        var replayedByteCount: Int
        var checkpointByteCount: Int
        /// Whether there was no usable checkpoint, but something to recover.
        var wasFullScan: Bool
    }

    private struct Place: Hashable {
        var segment: UInt32
        var offset: Int
    }

    private let disk: any Disk
    private let random: any RandomSource
    private let logger: Logger

    private var index: FragmentIndex
    private var segments: [UInt32: Segment] = [:]
    private var checkpoint: CheckpointFile.Header?
    private var checkpointByteCount = 0
    private var tombstones: [FragmentID: UInt64] = [:]
    /// Records that are not intact and outrank what is stored: sequence number and place.
    private var corrupt: [FragmentID: (sequence: UInt64, location: FragmentLocation)] = [:]
    private var dead: [Place] = []
    private var highestSequence: UInt64 = 0
    /// Lowered when a record could not be erased.
    private var tombstoneFloor = UInt64.max
    private var replayedByteCount = 0
    private var replayed: Set<UInt32> = []

    static func run(disk: any Disk, random: any RandomSource, logger: Logger) throws -> Outcome {
        var recovery = Recovery(disk: disk, random: random, logger: logger)
        return try recovery.recover()
    }

    private init(disk: any Disk, random: any RandomSource, logger: Logger) {
        self.disk = disk
        self.random = random
        self.logger = logger
        index = FragmentIndex(salt: random.next())
    }

    private mutating func recover() throws -> Outcome {
        let names = try disk.list()
        if names.contains(CheckpointFile.temporaryName) { try disk.remove(CheckpointFile.temporaryName) }
        let checkpointed = names.contains(CheckpointFile.name) ? loadCheckpoint() : []
        try openSegments(names.compactMap(SegmentName.parse))
        place(checkpointed)
        for segment in segments.values.sorted(by: { $0.number < $1.number }) { try replay(segment) }
        settleCorrupt()
        try makeReplayedDurable()
        eraseDead()
        countLiveBytes()
        let numbers = names.compactMap(SegmentName.parse)
        return Outcome(
            index: index, segments: Array(segments.values),
            nextSegmentNumber: max((numbers.max() ?? 0) + 1, checkpoint?.nextSegmentNumber ?? 1),
            nextSequence: max(highestSequence + 1, checkpoint?.nextSequence ?? 1),
            tombstoneFloor: min(tombstoneFloor, checkpoint?.tombstoneFloor ?? .max),
            replayedByteCount: replayedByteCount, checkpointByteCount: checkpointByteCount,
            wasFullScan: checkpoint == nil && !segments.isEmpty)
    }

    // MARK: Checkpoint

    /// Fills the index.
    /// - Returns: the quarantined entries.
    private mutating func loadCheckpoint() -> [IndexEntry] {
        var header: CheckpointFile.Header?
        var loaded = index
        var quarantined: [IndexEntry] = []
        do {
            let file = try disk.open(CheckpointFile.name)
            checkpointByteCount = try file.byteCount()
            try CheckpointFile.read(
                file,
                begin: {
                    header = $0
                    loaded = FragmentIndex(salt: $0.indexSalt, capacity: $0.expectedFragmentCount)
                }, fragment: { loaded.recover($0.id, at: $0.location) }, quarantined: { quarantined.append($0) })
            checkpoint = header
            index = loaded
            return quarantined
        } catch {
            logger.error(
                "the checkpoint cannot be used: all segments are read again",
                metadata: ["directory": "\(disk.path)", "error": "\(error)"])
            checkpointByteCount = 0
            return []
        }
    }

    /// Puts quarantined entries in their place, and fragments whose segment is lost into quarantine.
    private mutating func place(_ quarantined: [IndexEntry]) {
        for entry in quarantined { index.recoverQuarantine(entry.id, at: entry.location, detail: "found corrupt before the last start") }
        guard let checkpoint else { return }
        let missing = checkpoint.segments.filter { segments[$0.number] == nil }
        for segment in missing { logger.error("a segment is missing", metadata: ["segment": "\(SegmentName.make(segment.number))"]) }
        let present = Set(segments.keys)
        index.forEachShard { entries, _ in
            for entry in entries where !present.contains(entry.location.segment) {
                _ = index.quarantine(entry.id, at: entry.location, detail: "its segment is missing")
            }
        }
    }

    // MARK: Segments

    private mutating func openSegments(_ numbers: [UInt32]) throws {
        let known = Dictionary(uniqueKeysWithValues: (checkpoint?.segments ?? []).map { ($0.number, $0) })
        for number in numbers {
            let name = SegmentName.make(number)
            if let checkpoint, known[number] == nil, number < checkpoint.nextSegmentNumber {
                // Compacted away before the checkpoint: only the removal of the file is missing.
                try disk.remove(name)
                continue
            }
            let file = try disk.open(name)
            let size = try file.byteCount()
            let header = readHeader(of: file)
            guard let salt = header.map(\.salt) ?? known[number]?.salt else {
                try dismiss(name, size: size)
                continue
            }
            let start = min(known[number]?.replayOffset ?? SegmentHeader.byteCount, max(size, SegmentHeader.byteCount))
            let punched = max(0, size - (try file.allocatedByteCount()))
            let segment = Segment(number: number, salt: salt, file: file, committedOffset: start, punchedByteCount: punched)
            if known[number]?.isSealed == true || header == nil || start < known[number]?.replayOffset ?? 0 { segment.seal() }
            segments[number] = segment
        }
    }

    private func readHeader(of file: any DiskFile) -> SegmentHeader? {
        var bytes = [UInt8](repeating: 0, count: SegmentHeader.byteCount)
        return bytes.withUnsafeMutableBytes { bytes in
            // A half that cannot be read leaves the other one.
            for half in [0, SegmentHeader.byteCount / 2] {
                let part = UnsafeMutableRawBufferPointer(rebasing: bytes[half..<half + SegmentHeader.byteCount / 2])
                _ = try? file.read(into: part, at: half)
            }
            return SegmentHeader.decode(UnsafeRawBufferPointer(bytes))
        }
    }

    /// A segment without a header: one whose making a crash interrupted holds nothing; any other is left for people to see.
    private func dismiss(_ name: String, size: Int) throws {
        if size <= SegmentHeader.byteCount {
            try disk.remove(name)
        } else {
            logger.error("a segment without an intact header is left aside", metadata: ["segment": "\(name)", "bytes": "\(size)"])
        }
    }

    // MARK: Records

    private mutating func replay(_ segment: Segment) throws {
        let fileByteCount = try segment.file.byteCount()
        let start = segment.byteCount
        guard fileByteCount > start else { return }
        let window = FileWindow(file: segment.file, fileByteCount: fileByteCount)
        let scan = SegmentScan.scan(segment, from: start, window: window, fileByteCount: fileByteCount)
        replayed.insert(segment.number)
        replayedByteCount += scan.endOffset - start
        for range in scan.damage {
            logger.error(
                "damaged bytes between records are skipped",
                metadata: ["segment": "\(segment.name)", "offset": "\(range.lowerBound)", "bytes": "\(range.count)"])
        }
        let lastBatch = scan.lastBatch
        for record in scan.records {
            highestSequence = max(highestSequence, record.header.sequence, record.header.batch)
            switch record.header.kind {
            case .tombstone: replay(tombstone: record.header)
            case .fragment: try replay(record, of: segment, window: window, mayBeTorn: record.header.batch == lastBatch)
            case .erased: break
            }
        }
        segment.committedOffset.store(scan.endOffset, ordering: .relaxed)
        if scan.hasTornTail {
            logger.notice(
                "the torn end of a segment is cut off",
                metadata: ["segment": "\(segment.name)", "bytes": "\(fileByteCount - scan.endOffset)"])
            try segment.file.truncate(to: scan.endOffset)
        }
    }

    private mutating func replay(tombstone header: RecordHeader) {
        let id = header.id
        tombstones[id] = max(tombstones[id] ?? 0, header.sequence)
        if let location = index.location(of: id) {
            guard sequence(of: id, at: location) ?? 0 < header.sequence else { return }
            index.recoverRemoval(id)
            dead.append(Place(segment: location.segment, offset: location.offset))
        } else if case .quarantined = index.lookup(id) {
            // Quarantined before the checkpoint, so older than every tombstone after it.
            if let location = index.recoverRemoval(id) { dead.append(Place(segment: location.segment, offset: location.offset)) }
        }
    }

    private mutating func replay(_ record: SegmentScan.Record, of segment: Segment, window: FileWindow, mayBeTorn: Bool) throws {
        let header = record.header
        let id = header.id
        let location = FragmentLocation(segment: segment.number, offset: record.offset, payloadByteCount: header.payloadByteCount)
        let place = Place(segment: segment.number, offset: record.offset)
        let stored = index.location(of: id)
        let storedSequence = stored.map { sequence(of: id, at: $0) ?? 0 } ?? 0
        guard header.sequence > max(storedSequence, tombstones[id] ?? 0) else {
            if stored != location { dead.append(place) }
            return
        }
        if RecordVerification.isIntact(header, at: record.offset, in: window) {
            if let former = index.recover(id, at: location) { dead.append(Place(segment: former.segment, offset: former.offset)) }
        } else if mayBeTorn {
            dead.append(place)
        } else if corrupt[id].map({ $0.sequence < header.sequence }) ?? true {
            corrupt[id] = (header.sequence, location)
        }
    }

    /// - Returns: nil when the record is not there (any more).
    private func sequence(of id: FragmentID, at location: FragmentLocation) -> UInt64? {
        guard let header = try? segments[location.segment]?.header(at: location.offset), header.kind == .fragment, header.id == id else {
            return nil
        }
        return header.sequence
    }

    /// What is corrupt counts only where nothing intact is stored and no tombstone came after.
    private mutating func settleCorrupt() {
        for (id, found) in corrupt {
            if let tombstone = tombstones[id], tombstone > found.sequence { continue }
            guard index.location(of: id) == nil else { continue }
            index.recoverQuarantine(id, at: found.location, detail: "corrupt when it was read again at a start")
            logger.error(
                "a fragment is corrupt", metadata: ["fragment": "\(id)", "segment": "\(SegmentName.make(found.location.segment))"])
        }
    }

    // MARK: Ending

    /// What was read may still be in the system's cache only (after the death of a process): nothing that it outranks may be
    /// erased, and nobody may rely on it, before it is durable.
    private func makeReplayedDurable() throws {
        for number in replayed { try segments[number]?.file.synchronizeData() }
        try disk.synchronizeDirectory()
    }

    private mutating func eraseDead() {
        for place in dead {
            do {
                try segments[place.segment]?.erase(at: place.offset)
            } catch {
                // It is outranked all the same, as long as no tombstone goes before it.
                tombstoneFloor = 0
                logger.warning("could not erase a dead record", metadata: ["error": "\(error)"])
            }
        }
    }

    private func countLiveBytes() {
        var bytes: [UInt32: Int] = [:]
        index.forEachShard { entries, _ in
            for entry in entries { bytes[entry.location.segment, default: 0] += entry.location.approximateRecordByteCount }
        }
        for (number, count) in bytes { segments[number]?.liveByteCount.store(count, ordering: .relaxed) }
    }
}
