/// What a store says of the disk under it.
public struct DiskCondition: Hashable, Sendable {
    /// The data directory.
    public let path: String
    /// Size of the file system.
    public let capacityBytes: Int
    /// Bytes that new fragments can still take.
    public let availableBytes: Int
    /// Reads that failed since the store was opened.
    public let readErrorCount: Int
    /// Writes and flushes that failed since the store was opened, but for want of space.
    public let writeErrorCount: Int
    /// Whether the last write or flush failed, or ten reads have: nothing new should be put there.
    public let isFailing: Bool
}
