/// What a node says of one of its disks.
public struct DiskHealth: Hashable, Sendable, CustomStringConvertible {
    public enum State: String, Hashable, Sendable, CaseIterable {
        case healthy
        /// Reads or writes fail: nothing new should be put there.
        case failing
    }

    /// The data directory on it.
    public var path: String
    public var capacityBytes: Int64
    /// What new fragments can still take.
    public var availableBytes: Int64
    /// Reads that failed since the node started. Blocks that came back changed are no failed reads.
    public var readErrors: Int64
    /// Writes, and flushes to the disk, that failed since the node started, but for want of space.
    public var writeErrors: Int64
    public var state: State

    public init(path: String, capacityBytes: Int64, availableBytes: Int64, readErrors: Int64, writeErrors: Int64, state: State) {
        self.path = path
        self.capacityBytes = capacityBytes
        self.availableBytes = availableBytes
        self.readErrors = readErrors
        self.writeErrors = writeErrors
        self.state = state
    }

    public var description: String { "\(path): \(state.rawValue), \(readErrors) read errors, \(writeErrors) write errors" }
}
