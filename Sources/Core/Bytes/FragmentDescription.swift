/// What a node knows of a fragment that it stores.
public struct FragmentInfo: Hashable, Sendable {
    public let id: FragmentID
    /// Bytes of payload.
    public let byteCount: Int

    public init(id: FragmentID, byteCount: Int) {
        self.id = id
        self.byteCount = byteCount
    }
}

/// How a write that was acknowledged is kept.
public enum Durability: String, Sendable, CaseIterable {
    /// An acknowledged write survives loss of power: it was followed by fdatasync.
    case fsync
    /// An acknowledged write survives a crash of the process, not of the machine.
    case none
}
