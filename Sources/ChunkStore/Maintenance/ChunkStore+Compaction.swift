internal import Core
internal import Logging
import Synchronization

/// What a pass of compaction did.
public struct CompactionResult: Hashable, Sendable {
    /// Segments rewritten and removed.
    public var segmentCount = 0
    /// Bytes of the disk that they took.
    public var freedBytes = 0
    /// Bytes of records copied to other segments.
    public var copiedBytes = 0

    public init(segmentCount: Int = 0, freedBytes: Int = 0, copiedBytes: Int = 0) {
        self.segmentCount = segmentCount
        self.freedBytes = freedBytes
        self.copiedBytes = copiedBytes
    }
}

extension ChunkStore {
    /// Rewrites the segments that are mostly dead, once: copies what lives, verifying it, and removes the files.
    ///
    /// What is found corrupt on the way is quarantined. Copying uses the reserve of the disk, and gives back what was copied
    /// as it goes, so that a full disk can be compacted. Segments that are being written stay for another pass.
    /// - Throws: ``ChunkStoreError/diskFull(detail:)`` when not even the reserve has room for a copy; and the disk's errors.
    ///   What had been emptied by then is removed all the same.
    public func compact() async throws -> CompactionResult {
        try await gate.withOperation { try await maintenance.withPermit { try await compactOnce() } }
    }

    private func compactOnce() async throws -> CompactionResult {
        // Makes the erasing of all that older tombstones killed durable, so that those tombstones need not be kept.
        let settledSequence = try await writeCheckpoint()
        let chosen = chooseSegments()
        guard !chosen.isEmpty else { return CompactionResult() }
        var result = CompactionResult()
        var emptied: [Segment] = []
        var failure: (any Error)?
        for segment in chosen {
            do {
                try Task.checkCancellation()
                result.copiedBytes += try await empty(segment, settledSequence: settledSequence)
                emptied.append(segment)
            } catch {
                failure = error
                break
            }
        }
        for segment in chosen where !emptied.contains(where: { $0 === segment }) { engine.segments.release(segment) }
        if !emptied.isEmpty {
            do {
                try await remove(emptied)
            } catch {
                for segment in emptied { engine.segments.release(segment) }
                throw error
            }
            result.segmentCount = emptied.count
            result.freedBytes = emptied.reduce(0) { $0 + $1.usedByteCount }
        }
        if let failure { throw failure }
        return result
    }

    /// - Returns: bytes copied.
    private func empty(_ segment: Segment, settledSequence: UInt64) async throws -> Int {
        let copier = SegmentCopier(source: segment, engine: engine, settledSequence: settledSequence)
        let records = try await executor.run { try copier.records() }
        var copied = 0
        var next = 0
        while next < records.count {
            try Task.checkCancellation()
            let start = next
            let (byteCount, end) = try await executor.run { try copier.copy(records, from: start) }
            copied += byteCount
            next = end
        }
        try await executor.run { copier.quarantineLeftovers() }
        return copied
    }

    /// The emptiest first: they give the most room for the least copying.
    private func chooseSegments() -> [Segment] {
        let threshold = engine.configuration.compactionLiveRatio
        return engine.segments.leaseForRemoval { segment in
            let records = segment.byteCount - SegmentHeader.byteCount
            let living = segment.liveByteCount.load(ordering: .relaxed)
            // A segment with room left counts only when nothing in it lives: it will be filled.
            return engine.segments.hasRoom(segment) ? living == 0 && records > 0 : Double(living) < threshold * Double(records)
        }.sorted { $0.liveByteCount.load(ordering: .relaxed) < $1.liveByteCount.load(ordering: .relaxed) }
    }

    /// No checkpoint may name a segment whose file is gone, or starts would take its fragments for lost: so first the
    /// checkpoint, then the files.
    private func remove(_ segments: [Segment]) async throws {
        try await writeCheckpoint(without: Set(segments.map(\.number)))
        engine.segments.forget(segments)
        try await executor.run { [engine] in
            // Files that stay are removed by the next opening: the checkpoint does not know them.
            for segment in segments { try engine.disk.remove(segment.name) }
            try engine.disk.synchronizeDirectory()
        }
    }
}
