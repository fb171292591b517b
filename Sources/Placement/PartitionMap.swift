public import Core

/// Which partition a chunk belongs to: computed from its name alone, the same for the whole life of a cluster.
///
///     partition = (hash(blob) + index * stride) mod P,   hash = mix64(mix64(high) + low)
///
/// with the two big-endian words of the blob's identifier and SplitMix64's finaliser. The stride is odd, so the chunks of
/// one blob visit every partition once before any comes twice, and close to P / phi, so that neighbours land far apart.
/// The formula is part of what is on the nodes' disks: a change to it loses every chunk ever stored.
public struct PartitionMap: Hashable, Sendable {
    public static let defaultPartitionCount = 1024
    public static let maximumPartitionCount = 1 << 20

    /// P: a power of two.
    public let partitionCount: Int
    private let stride: UInt64

    /// - Precondition: `partitionCount` is a power of two, at most ``maximumPartitionCount``.
    public init(partitionCount: Int) {
        precondition(Self.isValid(partitionCount: partitionCount), "the number of partitions is a power of two")
        self.partitionCount = partitionCount
        // Fibonacci hashing's multiplier, 2^64 / phi, cut down to P; odd whatever P is.
        stride = (0x9E37_79B9_7F4A_7C15 >> UInt64(64 - partitionCount.trailingZeroBitCount)) | 1
    }

    static func isValid(partitionCount: Int) -> Bool {
        partitionCount > 0 && partitionCount <= maximumPartitionCount && partitionCount & (partitionCount - 1) == 0
    }

    public func partition(of chunk: ChunkID) -> Int {
        let blob = chunk.blob.uuid
        let start = mix64(mix64(blob.high) &+ blob.low)
        return Int((start &+ UInt64(chunk.index) &* stride) & UInt64(partitionCount - 1))
    }

    /// The partitions in the order in which the chunks of a blob visit them (each blob enters somewhere else).
    ///
    /// A layout that spreads every stretch of this walk evenly spreads every blob evenly.
    var walk: some Sequence<Int> {
        (0..<partitionCount).lazy.map { Int((UInt64($0) &* stride) & UInt64(partitionCount - 1)) }
    }
}
