public import Core

extension ChunkStore {
    /// Limits that hold for every store.
    public enum Limits {
        /// Bytes of a fragment's descriptor.
        public static let maximumDescriptorSize = 8 * 1024
        /// Bytes of a fragment's payload, and of what a store is configured to take.
        public static let maximumFragmentSize = 256 * 1024 * 1024
    }

    /// How a store behaves. None of it is written to the disk: any of it may change from one opening to the next.
    public struct Configuration: Sendable, Hashable {
        /// Bytes after which a segment takes no further record; the last one may go beyond. 64 KiB to 64 GiB.
        public var segmentSize: Int
        /// What an acknowledgement means.
        public var durability: Durability
        /// Bytes of the disk that fragments leave free, for deletions, checkpoints and compaction to work in.
        /// Never more than an eighth of the disk.
        public var reserveBytes: Int
        /// Fragments of up to this many bytes are gathered in memory and share their fdatasync with others.
        public var smallFragmentLimit: Int
        /// Larger fragments that are written at once, each to a segment of its own meanwhile; further ones wait in order.
        /// Not below what callers write at once: one that has a lane on this node may wait for a lane on another.
        public var maximumLanes: Int
        /// Bytes of segments written after which a checkpoint is taken: the most that a start has to read again.
        public var checkpointInterval: Int
        /// A segment with a smaller share of living bytes is rewritten by ``ChunkStore/compact()``. 0 to 1.
        public var compactionLiveRatio: Double
        /// Bytes of a fragment's payload. 1 to ``ChunkStore/Limits/maximumFragmentSize``.
        public var maximumFragmentSize: Int
        /// Bytes that are read, and checked, on the caller's own task where the system has them in memory. 128 KiB take some 30
        /// microseconds, in which the task's thread does nothing else.
        public var inlineReadLimit: Int

        public init(
            segmentSize: Int = 1 << 30, durability: Durability = .fsync, reserveBytes: Int = 256 << 20, smallFragmentLimit: Int = 256 << 10,
            maximumLanes: Int = 1_024, checkpointInterval: Int = 1 << 30, compactionLiveRatio: Double = 0.5,
            maximumFragmentSize: Int = Limits.maximumFragmentSize, inlineReadLimit: Int = 128 << 10
        ) {
            self.segmentSize = segmentSize
            self.durability = durability
            self.reserveBytes = reserveBytes
            self.smallFragmentLimit = smallFragmentLimit
            self.maximumLanes = maximumLanes
            self.checkpointInterval = checkpointInterval
            self.compactionLiveRatio = compactionLiveRatio
            self.maximumFragmentSize = maximumFragmentSize
            self.inlineReadLimit = inlineReadLimit
        }

        /// - Throws: ``ChunkStoreError/invalid(detail:)`` naming the first value that makes no sense.
        func validate() throws {
            guard (64 << 10...64 << 30).contains(segmentSize) else {
                throw ChunkStoreError.invalid(detail: "segmentSize is 64 KiB to 64 GiB, not \(segmentSize)")
            }
            guard (0...4 << 20).contains(smallFragmentLimit) else {
                throw ChunkStoreError.invalid(detail: "smallFragmentLimit is 0 to 4 MiB, not \(smallFragmentLimit)")
            }
            guard (1...Limits.maximumFragmentSize).contains(maximumFragmentSize) else {
                throw ChunkStoreError.invalid(
                    detail: "maximumFragmentSize is 1 to \(Limits.maximumFragmentSize), not \(maximumFragmentSize)")
            }
            guard maximumLanes > 0, checkpointInterval > 0, reserveBytes >= 0, (0...1).contains(compactionLiveRatio) else {
                throw ChunkStoreError.invalid(detail: "a limit of the store is out of range: \(self)")
            }
        }
    }
}

/// What a store says of itself. Bytes, unless named otherwise.
public struct ChunkStoreStatistics: Hashable, Sendable {
    /// Size of the file system.
    public var capacityBytes: Int
    /// What new fragments can still take.
    public var availableBytes: Int
    /// What the store's files take on the disk, dead fragments not yet reclaimed included.
    public var usedBytes: Int
    /// Payload that can be read.
    public var liveBytes: Int
    public var fragmentCount: Int
    /// Fragments found corrupt and not yet replaced or deleted.
    public var quarantinedCount: Int
    public var segmentCount: Int
    /// Memory of the index.
    public var indexBytes: Int

    public init(
        capacityBytes: Int, availableBytes: Int, usedBytes: Int, liveBytes: Int, fragmentCount: Int, quarantinedCount: Int,
        segmentCount: Int, indexBytes: Int
    ) {
        self.capacityBytes = capacityBytes
        self.availableBytes = availableBytes
        self.usedBytes = usedBytes
        self.liveBytes = liveBytes
        self.fragmentCount = fragmentCount
        self.quarantinedCount = quarantinedCount
        self.segmentCount = segmentCount
        self.indexBytes = indexBytes
    }
}
