public import Core
public import Logging

/// How far the re-reading of a store has come.
public struct ScrubProgress: Hashable, Sendable, Codable {
    /// Where the listing of the store goes on; nil at the beginning.
    public var cursor: UInt64?
    /// Milliseconds since 1970 at which this pass began.
    public var startedAt: Int64
    /// In this pass.
    public var fragmentCount = 0
    public var byteCount = 0
    public var corruptCount = 0
    /// Milliseconds since 1970 at which the last pass ended; nil before the first has.
    public var finishedAt: Int64?

    public init(startedAt: Int64) { self.startedAt = startedAt }
}

/// Keeps the progress of a scrub across restarts. Losing it costs reading again, nothing else.
public protocol ScrubProgressStore: Sendable {
    func load() -> ScrubProgress?
    func save(_ progress: ScrubProgress)
}

/// Re-reads all of a store, again and again, slowly: what rots unread is found while other copies are still good.
///
/// A pass is spread over `period`. Whatever that asks for, nine tenths of the disk's time are left to others; stores that share a disk share
/// the tenth.
public struct Scrubber: Sendable {
    /// Of the disk's time, one part in so many is for scrubbing.
    private static let partsOfTime = 10
    private static let pageSize = 64
    private static let savingInterval = Duration.seconds(60)
    private static let emptyPause = Duration.seconds(1)
    private static let shortestPause = Duration.milliseconds(1)
    private static let longestPause = Duration.seconds(60)

    private let store: ChunkStore
    private let progressStore: any ScrubProgressStore
    private let period: Duration
    /// Pauses after a read, as a multiple of the time that it took.
    private let restFactor: Int
    private let time: any TimeSource
    private let logger: Logger
    /// What it is at.
    public let watch = ScrubWatch()
    public var periodSeconds: Double { Double(period.milliseconds) / 1_000 }

    /// - Parameters:
    ///   - period: how long a pass over everything may take.
    ///   - storesOnDisk: how many stores with a scrubber of their own are on the same disk.
    public init(
        store: ChunkStore, progress: any ScrubProgressStore, period: Duration, storesOnDisk: Int = 1, time: any TimeSource, logger: Logger
    ) {
        precondition(storesOnDisk > 0)
        restFactor = Self.partsOfTime * storesOnDisk - 1
        self.store = store
        progressStore = progress
        self.period = period
        self.time = time
        self.logger = logger
    }

    /// Runs until the task is cancelled.
    /// - Throws: `CancellationError`; ``ChunkStoreError/closed``.
    public func run() async throws {
        while true { try await pass() }
    }

    /// One pass over all that is stored, from where the last one was broken off.
    public func pass() async throws {
        var progress = progressStore.load() ?? ScrubProgress(startedAt: time.now().millisecondsSince1970)
        watch.note(progress)
        var savedAt = time.monotonicNow()
        defer { progressStore.save(progress) }
        repeat {
            let page = store.list(after: progress.cursor, limit: Self.pageSize)
            try await scrub(page.fragments, &progress)
            progress.cursor = page.next
            if time.monotonicNow() - savedAt >= Self.savingInterval {
                progressStore.save(progress)
                savedAt = time.monotonicNow()
            }
        } while progress.cursor != nil
        if progress.fragmentCount == 0 {
            try await time.sleep(for: min(period, Self.emptyPause))
        } else {
            logger.info(
                "scrub finished",
                metadata: [
                    "fragments": "\(progress.fragmentCount)", "bytes": "\(progress.byteCount)", "corrupt": "\(progress.corruptCount)",
                ])
        }
        let now = time.now().millisecondsSince1970
        progress = ScrubProgress(startedAt: now)
        progress.finishedAt = now
        watch.note(progress)
    }

    private func scrub(_ fragments: [FragmentInfo], _ progress: inout ScrubProgress) async throws {
        var rest = Duration.zero
        // In the order of the disk, as far as a page goes.
        for fragment in store.inDiskOrder(fragments) {
            let start = time.monotonicNow()
            let isCorrupt = try await store.scrub(fragment.id) { read in
                rest += read.duration * restFactor
                guard rest >= Self.shortestPause else { return }
                try await time.sleep(for: rest)
                rest = .zero
            }
            progress.fragmentCount += 1
            progress.byteCount += fragment.byteCount
            if isCorrupt { progress.corruptCount += 1 }
            watch.noteRead(fragment.byteCount, isCorrupt: isCorrupt)
            try await keepPace(fragment.byteCount, since: start)
        }
    }

    /// Waits until a fragment has had its share of the period. Looks again now and then, because the store may grow meanwhile.
    private func keepPace(_ byteCount: Int, since start: MonotonicInstant) async throws {
        while true {
            let share = Double(byteCount) / Double(max(1, store.statistics().liveBytes))
            let ahead = start + .seconds(min(share, 1) * Double(period.milliseconds) / 1000) - time.monotonicNow()
            guard ahead >= Self.shortestPause else { return }
            try await time.sleep(for: min(ahead, Self.longestPause))
        }
    }
}

extension ChunkStore {
    /// `fragments` sorted by where they lie. Those that are gone come first.
    func inDiskOrder(_ fragments: [FragmentInfo]) -> [FragmentInfo] {
        fragments.map { (engine.index.location(of: $0.id), $0) }
            .sorted { ($0.0?.segment ?? 0, $0.0?.offset ?? 0) < ($1.0?.segment ?? 0, $1.0?.offset ?? 0) }
            .map(\.1)
    }
}
