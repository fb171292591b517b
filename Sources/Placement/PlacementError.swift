public import Core

/// Why a layout cannot be made, or read. Trying again does not help.
public enum PlacementError: Error, Hashable, Sendable {
    /// A layout needs at least one member.
    case noMembers
    /// More members than a layout can name (``Layout/maximumMemberCount``).
    case tooManyMembers(count: Int)
    case duplicateNode(NodeID)
    /// A weight is a finite number greater than 0.
    case invalidWeight(NodeID, weight: Double)
    /// A zone's name has at most ``Layout/maximumZoneNameSize`` bytes.
    case zoneNameTooLong(NodeID)
    /// There is at least one copy of everything.
    case invalidReplicaCount(Int)
    /// An erasure code has ``CodedTable/widths`` fragments.
    case invalidWidth([Int])
    /// The number of partitions is a power of two, at most ``PartitionMap/maximumPartitionCount``.
    case invalidPartitionCount(Int)
    /// The bytes are not a layout, or not one that this version of the program can read.
    case undecodable(detail: String)
}
