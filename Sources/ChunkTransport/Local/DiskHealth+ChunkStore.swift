internal import ChunkStore

extension DiskHealth {
    /// What the engine says, in the words that travel between servers.
    init(_ condition: DiskCondition) {
        self.init(
            path: condition.path, capacityBytes: Int64(condition.capacityBytes), availableBytes: Int64(condition.availableBytes),
            readErrors: Int64(condition.readErrorCount), writeErrors: Int64(condition.writeErrorCount),
            state: condition.isFailing ? .failing : .healthy)
    }
}
