public import Core
public import Logging
import Synchronization

/// Keeps fragments in one data directory: durably, verified on every read, with all of their places in memory.
///
/// Fragments are records of append-only segments (docs/formats/segment.md, docs/decisions/0001-segment-log.md). All methods
/// are safe to call from any task at any time and throw ``ChunkStoreError``, or `CancellationError` when the calling task
/// was cancelled.
public final class ChunkStore: Sendable {
    private static let lockName = "LOCK"

    /// The file whose lock (`flock`) a process holds as long as it has the store of `directory` open.
    public static func lockPath(inDirectory directory: String) -> String { "\(directory)/\(lockName)" }

    let engine: Engine
    let executor: any BlockingExecutor
    let smallRecords: SmallRecordWriter
    let gate = OperationGate()
    let lanes: AsyncPermits
    /// Held by checkpoints and compactions, which exclude each other.
    let maintenance = AsyncPermits(count: 1)
    let backgroundCheckpoint = Mutex<Task<Void, Never>?>(nil)
    let time: any TimeSource
    private let lock: any DiskLock

    /// Opens or creates the store of a data directory: locks it, loads the checkpoint, reads again what was written after it.
    ///
    /// - Parameters:
    ///   - executor: where calls to the disk wait.
    ///   - time: measures how long things take.
    ///   - random: salts segments and the index.
    /// - Throws: ``ChunkStoreError/locked(path:)``, ``ChunkStoreError/invalid(detail:)``,
    ///   ``ChunkStoreError/diskFailure(operation:detail:)``, ``ChunkStoreError/diskFull(detail:)``.
    public static func open(
        disk: any Disk, configuration: Configuration = .init(), executor: any BlockingExecutor, time: any TimeSource,
        random: any RandomSource, logger: Logger
    ) async throws -> ChunkStore {
        try configuration.validate()
        StoreMetrics.prepare()
        do {
            let started = time.monotonicNow()
            let faults = DiskFaults()
            let disk = WatchedDisk(disk, faults: faults)
            let (lock, recovered) = try await executor.run {
                guard let lock = try disk.lock(lockName) else { throw ChunkStoreError.locked(path: disk.path) }
                do {
                    return (lock, try Recovery.run(disk: disk, random: random, logger: logger))
                } catch {
                    lock.release()
                    throw error
                }
            }
            let engine = Engine(
                disk: disk, faults: faults, configuration: configuration, random: random, logger: logger, recovered: recovered)
            let store = ChunkStore(engine: engine, executor: executor, time: time, lock: lock)
            let totals = engine.index.totals()
            logger.info(
                "store opened",
                metadata: [
                    "directory": "\(disk.path)", "fragments": "\(totals.fragmentCount)", "quarantined": "\(totals.quarantinedCount)",
                    "replayedBytes": "\(recovered.replayedByteCount)",
                    "milliseconds": "\((time.monotonicNow() - started).milliseconds)",
                ])
            if recovered.wasFullScan { await store.checkpointBestEffort() }
            return store
        } catch {
            throw ChunkStoreError.translating(error)
        }
    }

    private init(engine: Engine, executor: any BlockingExecutor, time: any TimeSource, lock: any DiskLock) {
        self.engine = engine
        self.executor = executor
        self.time = time
        self.lock = lock
        smallRecords = SmallRecordWriter(engine: engine, executor: executor)
        lanes = AsyncPermits(count: engine.configuration.maximumLanes)
    }

    // MARK: Looking

    /// - Returns: nil when there is no (healthy) fragment of that name. Does not touch the disk.
    public func stat(_ id: FragmentID) -> FragmentInfo? {
        engine.index.location(of: id).map { FragmentInfo(id: id, byteCount: $0.payloadByteCount) }
    }

    /// Lists what is stored, in an order of its own. What is stored during the whole listing is listed.
    /// - Parameters:
    ///   - cursor: nil to begin, then what the page before answered.
    ///   - limit: at least 1.
    /// - Returns: a page, and nil as the cursor after the last one.
    public func list(after cursor: UInt64?, limit: Int) -> (fragments: [FragmentInfo], next: UInt64?) {
        precondition(limit > 0, "a page has room for a fragment")
        return engine.index.list(after: cursor, limit: limit)
    }

    /// The fragments found corrupt and not yet replaced or deleted, in no order.
    public func quarantined() -> [FragmentID] { engine.index.quarantinedFragments() }

    /// Asks the file system for its free space; otherwise answered from memory.
    public func statistics() -> ChunkStoreStatistics {
        let totals = engine.index.totals()
        let segments = engine.segments.all()
        let space = (try? engine.disk.space()) ?? DiskSpace(capacityBytes: 0, availableBytes: 0)
        return ChunkStoreStatistics(
            capacityBytes: space.capacityBytes, availableBytes: max(0, space.availableBytes - engine.reserve(space)),
            usedBytes: segments.reduce(engine.checkpointByteCount.load(ordering: .relaxed)) { $0 + $1.usedByteCount },
            liveBytes: totals.payloadByteCount, fragmentCount: totals.fragmentCount, quarantinedCount: totals.quarantinedCount,
            segmentCount: segments.count, indexBytes: totals.byteCount)
    }

    /// How the disk does. Asks the file system for its free space; otherwise answered from memory.
    public func diskCondition() -> DiskCondition {
        let space = (try? engine.disk.space()) ?? DiskSpace(capacityBytes: 0, availableBytes: 0)
        return DiskCondition(
            path: engine.disk.path, capacityBytes: space.capacityBytes,
            availableBytes: max(0, space.availableBytes - engine.reserve(space)), readErrorCount: engine.faults.readErrorCount,
            writeErrorCount: engine.faults.writeErrorCount, isFailing: engine.faults.isFailing)
    }

    // MARK: Closing

    /// Lets no further call in, waits for those under way, writes a checkpoint and unlocks the directory.
    ///
    /// Without it nothing is lost: the next opening only has more to read.
    public func close() async {
        guard await gate.close() else { return }
        await backgroundCheckpoint.withLock { $0 }?.value
        await checkpointBestEffort()
        lock.release()
    }
}
