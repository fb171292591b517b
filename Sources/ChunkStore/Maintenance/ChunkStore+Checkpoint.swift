internal import Core
internal import Logging
import Synchronization

extension ChunkStore {
    /// Writes a checkpoint, so that the next opening has nothing older than this moment to read again.
    public func checkpoint() async throws {
        _ = try await gate.withOperation { try await maintenance.withPermit { try await writeCheckpoint() } }
    }

    /// Starts a checkpoint when enough was written since the last one. At most one is under way.
    /// Called within the gate only, so that none begins once the store is closing.
    func checkpointIfDue() {
        guard engine.wantsCheckpoint else { return }
        backgroundCheckpoint.withLock { task in
            guard task == nil else { return }
            task = Task {
                await self.checkpointBestEffort()
                self.backgroundCheckpoint.withLock { $0 = nil }
            }
        }
    }

    /// A checkpoint that fails costs time at the next opening, nothing else.
    func checkpointBestEffort() async {
        do {
            _ = try await maintenance.withPermit { try await writeCheckpoint() }
        } catch {
            engine.logger.warning("no checkpoint was written", metadata: ["directory": "\(engine.disk.path)", "error": "\(error)"])
        }
    }

    /// Writes a checkpoint; the caller holds the maintenance permit.
    ///
    /// The order matters. First the cut: how far each segment is committed. Then everything before the cut is settled and
    /// durable, the erasing of what it replaced included. Then the index is copied: it may already know later records, which
    /// are left out here because they will be read again.
    /// - Parameter without: segments that have been emptied and are to be forgotten.
    /// - Returns: a sequence number below which nothing that was replaced or deleted can come back from the disk.
    @discardableResult
    func writeCheckpoint(without removed: Set<UInt32> = []) async throws -> UInt64 {
        let uncheckpointed = engine.uncheckpointedByteCount.load(ordering: .relaxed)
        let (all, nextNumber) = engine.segments.allAndNextNumber()
        let segments = all.filter { !removed.contains($0.number) }.sorted { $0.number < $1.number }
        let states = segments.map { segment in
            CheckpointFile.SegmentState(
                number: segment.number, isSealed: segment.isSealed.load(ordering: .acquiring), replayOffset: segment.byteCount,
                salt: segment.salt)
        }
        let nextSequence = engine.ledger.next
        await engine.ledger.waitUntilSettled(below: nextSequence)
        try await executor.run { [engine] in
            for segment in segments {
                do {
                    try segment.synchronizeIfDirty()
                } catch {
                    // Erased marks may be lost: the tombstones must do their work for good.
                    engine.ledger.keepTombstones(from: 0)
                    throw error
                }
            }
            let header = CheckpointFile.Header(
                indexSalt: engine.index.salt, nextSequence: nextSequence, tombstoneFloor: engine.ledger.tombstoneFloor,
                nextSegmentNumber: nextNumber, expectedFragmentCount: engine.index.totals().fragmentCount, segments: states)
            try Self.write(header, engine)
            engine.uncheckpointedByteCount.subtract(uncheckpointed, ordering: .relaxed)
        }
        return nextSequence
    }

    private static func write(_ header: CheckpointFile.Header, _ engine: Engine) throws {
        let cut = Dictionary(uniqueKeysWithValues: header.segments.map { ($0.number, $0.replayOffset) })
        func isBeforeCut(_ entry: IndexEntry) -> Bool { entry.location.offset < cut[entry.location.segment] ?? 0 }

        if try engine.disk.list().contains(CheckpointFile.temporaryName) { try engine.disk.remove(CheckpointFile.temporaryName) }
        let file = try engine.disk.create(CheckpointFile.temporaryName)
        do {
            var writer = try CheckpointFile.Writer(file: file, header: header)
            var quarantined: [IndexEntry] = []
            try engine.index.forEachShard { entries, quarantinedEntries in
                for entry in entries where isBeforeCut(entry) { try writer.append(fragment: entry) }
                quarantined.append(contentsOf: quarantinedEntries)
            }
            for entry in quarantined { try writer.append(quarantined: entry) }
            try writer.finish()
            try file.synchronizeData()
            try engine.disk.rename(CheckpointFile.temporaryName, to: CheckpointFile.name)
            try engine.disk.synchronizeDirectory()
            engine.checkpointByteCount.store(writer.byteCount, ordering: .relaxed)
        } catch {
            try? engine.disk.remove(CheckpointFile.temporaryName)
            throw error
        }
    }
}
