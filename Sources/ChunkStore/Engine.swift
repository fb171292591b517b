internal import Core
internal import CoreMetrics
internal import Logging
import Synchronization

/// What the parts of a store share. Safe to use from any thread.
final class Engine: Sendable {
    let disk: any Disk
    let faults: DiskFaults
    let configuration: ChunkStore.Configuration
    let random: any RandomSource
    let logger: Logger
    let index: FragmentIndex
    let ledger: SequenceLedger
    let segments: SegmentSet
    /// Bytes of records committed since the last checkpoint.
    let uncheckpointedByteCount: Atomic<Int>
    /// Size of the last checkpoint, in bytes.
    let checkpointByteCount: Atomic<Int>

    init(
        disk: any Disk, faults: DiskFaults, configuration: ChunkStore.Configuration, random: any RandomSource, logger: Logger,
        recovered: Recovery.Outcome
    ) {
        self.disk = disk
        self.faults = faults
        self.configuration = configuration
        self.random = random
        self.logger = logger
        index = recovered.index
        ledger = SequenceLedger(next: recovered.nextSequence, tombstoneFloor: recovered.tombstoneFloor)
        segments = SegmentSet(
            segments: recovered.segments, nextNumber: recovered.nextSegmentNumber, segmentSize: configuration.segmentSize, disk: disk,
            random: random)
        uncheckpointedByteCount = Atomic(recovered.replayedByteCount)
        checkpointByteCount = Atomic(recovered.checkpointByteCount)
    }

    // MARK: Space

    /// - Returns: what new fragments can still take, in bytes.
    func availableByteCount() throws -> Int {
        let space = try disk.space()
        return max(0, space.availableBytes - reserve(space))
    }

    func reserve(_ space: DiskSpace) -> Int { min(configuration.reserveBytes, space.capacityBytes / 8) }

    /// - Throws: ``ChunkStoreError/diskFull(detail:)`` when `byteCount` more would touch the reserve.
    func requireSpace(_ byteCount: Int) throws {
        let space = try disk.space()
        let reserve = reserve(space)
        guard space.availableBytes >= reserve + byteCount else {
            throw ChunkStoreError.diskFull(
                detail: "\(disk.path): \(space.availableBytes) bytes free, \(byteCount) wanted, \(reserve) kept in reserve")
        }
    }

    // MARK: Commits

    /// A record that is dead since the commit `sequence`.
    struct Garbage: Sendable {
        var id: FragmentID
        var location: FragmentLocation
        var sequence: UInt64
        /// The record of the commit itself, overtaken by a later one of its name: it must be erased durably before anyone
        /// hears of the commit, or a restart could bring it back.
        var isOvertaken: Bool
    }

    /// Puts a fragment that is durable into the index.
    /// - Returns: what is dead now; without any, the sequence number is settled.
    func apply(fragment id: FragmentID, sequence: UInt64, at location: FragmentLocation) -> Garbage? {
        let dead = index.commitFragment(id, sequence: sequence, at: location)
        account(location, by: 1)
        return garbage(id, dead, sequence, isOvertaken: dead == location)
    }

    /// Takes a fragment, whose tombstone is durable, out of the index.
    func apply(tombstone id: FragmentID, sequence: UInt64) -> Garbage? {
        garbage(id, index.commitTombstone(id, sequence: sequence), sequence, isOvertaken: false)
    }

    private func garbage(_ id: FragmentID, _ dead: FragmentLocation?, _ sequence: UInt64, isOvertaken: Bool) -> Garbage? {
        guard let dead else {
            ledger.settle(sequence)
            return nil
        }
        account(dead, by: -1)
        return Garbage(id: id, location: dead, sequence: sequence, isOvertaken: isOvertaken)
    }

    /// Takes a fragment out of service, unless it has gone elsewhere meanwhile.
    /// - Returns: whether it was still at `location`.
    func quarantine(_ id: FragmentID, at location: FragmentLocation, detail: String) -> Bool {
        guard index.quarantine(id, at: location, detail: detail) else { return false }
        StoreMetrics.corruptFragments.increment()
        account(location, by: -1)
        logger.error(
            "a fragment is corrupt",
            metadata: [
                "fragment": "\(id)", "segment": "\(SegmentName.make(location.segment))", "offset": "\(location.offset)",
                "detail": "\(detail)",
            ])
        return true
    }

    /// Adds to (1) or takes from (-1) the living bytes of the segment of a record.
    func account(_ location: FragmentLocation, by sign: Int) {
        segments[location.segment]?.liveByteCount.add(sign * location.approximateRecordByteCount, ordering: .relaxed)
    }

    /// Gives back the space of dead records and settles their sequence numbers. Waits for the disk.
    /// - Throws: ``DiskError`` when an overtaken record could not be erased durably.
    func reclaim(_ garbage: [Garbage]) throws {
        var failure: (any Error)?
        for dead in garbage {
            defer { ledger.settle(dead.sequence) }
            guard let segment = segments[dead.location.segment] else { continue }
            do {
                try segment.erase(at: dead.location.offset)
                if dead.isOvertaken { try segment.file.synchronizeData() }
            } catch {
                // The record stays; the tombstone or the newer record goes on outranking it.
                ledger.keepTombstones(from: dead.sequence)
                logger.warning("could not erase a dead record", metadata: ["fragment": "\(dead.id)", "error": "\(error)"])
                if dead.isOvertaken { failure = error }
            }
        }
        if let failure { throw failure }
    }

    /// Notes what was committed to `segment` up to `endOffset`.
    func noteCommitted(_ segment: Segment, endOffset: Int) {
        let byteCount = endOffset - segment.byteCount
        segment.committedOffset.store(endOffset, ordering: .releasing)
        uncheckpointedByteCount.add(byteCount, ordering: .relaxed)
    }

    /// Whether enough was written for another checkpoint. A large index raises the bar, so that checkpoints stay a small
    /// part of what is written.
    var wantsCheckpoint: Bool {
        let interval = max(configuration.checkpointInterval, 8 * checkpointByteCount.load(ordering: .relaxed))
        return uncheckpointedByteCount.load(ordering: .relaxed) >= interval
    }

    /// Makes what was written to `segment` as durable as the configuration wants.
    func makeDurable(_ segment: Segment) throws {
        switch configuration.durability {
        case .fsync:
            do {
                try StoreMetrics.measure(StoreMetrics.syncTime) { try segment.file.synchronizeData() }
            } catch {
                // Whatever the reason: the kernel may have dropped the pages, so this file is not trusted again.
                segment.seal()
                throw error
            }
        case .none: segment.isDirty.store(true, ordering: .releasing)
        }
    }

    /// What to do with a segment after a write or a sync failed: an error that is not for want of space says that the
    /// file is in doubt, and nothing is appended to it any more.
    func handleFailure(_ error: any Error, of segment: Segment) {
        if let disk = error as? DiskError, !meansFull(disk.errno) {
            segment.seal()
            logger.error("a write failed: the segment takes no more", metadata: ["segment": "\(segment.name)", "error": "\(error)"])
        }
        if !segment.discardUncommitted() {
            // Refused records may come back at a start, so the tombstones against them must stay.
            ledger.keepTombstones(from: 0)
        }
    }
}
