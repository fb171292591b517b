public import Core

/// A numbered, immutable table: which nodes hold each partition.
///
/// Every node holds within one of its fair share of the partitions (by weight; a node holds a partition at most once, so a
/// heavy node's excess goes to the others). A zone holds at most one copy of a partition where the fair shares of its nodes
/// allow it, else as few as they allow. A node without a zone is a zone of its own. Equal input gives equal layouts,
/// whatever the order of the members.
public struct Layout: Hashable, Sendable {
    public static let maximumMemberCount = 65_535
    /// Bytes of UTF-8.
    public static let maximumZoneNameSize = 255
    static let maximumReplicas = 255

    /// 1 for the first layout of a cluster.
    public let version: Int
    public let partitionCount: Int
    /// Copies of every partition: what was asked for, or the number of members if that is less.
    public let replicas: Int
    /// In the order of their nodes' names.
    public let members: [LayoutMember]
    /// `replicas` members, by number, for each partition.
    let slots: [UInt16]
    /// The zone of each member, by number.
    let zones: [Int32]
    /// Who holds which fragment of erasure-coded chunks: a table for every width in use, by width.
    let codedTables: [CodedTable]

    init(version: Int, partitionCount: Int, replicas: Int, members: [LayoutMember], slots: [UInt16], codedTables: [CodedTable] = []) {
        self.version = version
        self.partitionCount = partitionCount
        self.replicas = replicas
        self.members = members
        self.slots = slots
        self.codedTables = codedTables
        zones = Self.zoneNumbers(of: members)
    }

    /// The layout of a cluster that no node has joined yet: version 0, which is never saved.
    public static func empty(partitionCount: Int = PartitionMap.defaultPartitionCount) -> Layout {
        precondition(PartitionMap.isValid(partitionCount: partitionCount), "the number of partitions is a power of two")
        return Layout(version: 0, partitionCount: partitionCount, replicas: 0, members: [], slots: [])
    }

    /// The first layout of a cluster.
    /// - Parameters:
    ///   - replicas: copies wanted; fewer are kept when there are fewer members.
    ///   - partitionCount: a power of two, fixed for the cluster's life.
    ///   - codedWidths: fragments of a chunk, of every erasure code in use.
    /// - Throws: ``PlacementError``.
    public static func initial(
        members: [LayoutMember], replicas: Int, partitionCount: Int = PartitionMap.defaultPartitionCount, codedWidths: Set<Int> = []
    ) throws -> Layout {
        guard PartitionMap.isValid(partitionCount: partitionCount) else { throw PlacementError.invalidPartitionCount(partitionCount) }
        return try Layout(
            version: 1, members: members, replicas: replicas, partitionCount: partitionCount, codedWidths: codedWidths, old: nil)
    }

    /// The layout that follows when the members, their weights or zones, or the number of copies change. As much as can stay
    /// where it is stays there.
    /// - Parameter codedWidths: added to those that have a table already.
    /// - Throws: ``PlacementError``.
    public func next(members: [LayoutMember], replicas: Int, codedWidths: Set<Int> = []) throws -> Layout {
        try Layout(
            version: version + 1, members: members, replicas: replicas, partitionCount: partitionCount, codedWidths: codedWidths, old: self)
    }

    private init(
        version: Int, members: [LayoutMember], replicas: Int, partitionCount: Int, codedWidths: Set<Int>, old: Layout?
    ) throws {
        try Self.check(members: members, replicas: replicas)
        guard codedWidths.allSatisfy(CodedTable.widths.contains) else { throw PlacementError.invalidWidth(codedWidths.sorted()) }
        let members = members.sorted { $0.node < $1.node }
        func shares(_ replicas: Int) -> FairShares {
            FairShares(
                weights: members.map(\.weight), zones: Self.zoneNumbers(of: members).map(Int.init), partitionCount: partitionCount,
                replicas: min(replicas, members.count))
        }
        let numbers = Dictionary(uniqueKeysWithValues: members.enumerated().map { ($1.node, Int32($0)) })
        /// The number that each member of the old layout has in this one.
        let renumbered = old?.members.map { numbers[$0.node] } ?? []
        var kept: [[Int32]] = []
        if let old {
            kept = (0..<partitionCount).map { partition in old.slotRange(partition).compactMap { renumbered[Int(old.slots[$0])] } }
        }
        var assignment = Assignment(shares: shares(replicas), old: kept)
        assignment.orderByPreference()
        let widths = codedWidths.union(old?.codedTables.map(\.width) ?? [])
        self.init(
            version: version, partitionCount: partitionCount, replicas: assignment.replicas, members: members,
            slots: assignment.slots.map(UInt16.init),
            codedTables: widths.sorted().map { width in
                CodedTable(width: width, shares: shares(width), old: old?.codedTable(width: width), renumbered: renumbered)
            })
    }

    static func check(members: [LayoutMember], replicas: Int) throws {
        guard !members.isEmpty else { throw PlacementError.noMembers }
        guard members.count <= maximumMemberCount else { throw PlacementError.tooManyMembers(count: members.count) }
        guard (1...maximumReplicas).contains(replicas) else { throw PlacementError.invalidReplicaCount(replicas) }
        var nodes: Set<NodeID> = []
        for member in members {
            guard nodes.insert(member.node).inserted else { throw PlacementError.duplicateNode(member.node) }
            guard member.weight.isFinite && member.weight > 0 else {
                throw PlacementError.invalidWeight(member.node, weight: member.weight)
            }
            guard member.zone.utf8.count <= maximumZoneNameSize else { throw PlacementError.zoneNameTooLong(member.node) }
        }
    }

    private static func zoneNumbers(of members: [LayoutMember]) -> [Int32] {
        var numbers: [String: Int32] = [:]
        var next: Int32 = 0
        return members.map { member in
            if let number = numbers[member.zone] { return number }
            defer { next += 1 }
            if !member.zone.isEmpty { numbers[member.zone] = next }
            return next
        }
    }

    func slotRange(_ partition: Int) -> Range<Int> {
        precondition((0..<partitionCount).contains(partition), "no such partition")
        return partition * replicas..<(partition + 1) * replicas
    }

    /// The nodes that hold a partition: `replicas` different ones in order of preference. First places are spread as evenly
    /// as the partitions themselves.
    public func nodes(of partition: Int) -> [NodeID] { slotRange(partition).map { members[Int(slots[$0])].node } }

    /// Pairs of partition and node that this layout has and `old` has not: fragments of how many partitions must move,
    /// counted once for each copy.
    /// - Precondition: both have the same number of partitions.
    public func movedFragments(from old: Layout) -> Int {
        precondition(partitionCount == old.partitionCount)
        return (0..<partitionCount).reduce(0) { count, partition in
            let before = old.nodes(of: partition)
            return count + nodes(of: partition).count { !before.contains($0) }
        }
    }
}
