public import Core

/// Which members hold which fragment of the erasure-coded chunks of each partition.
///
/// A fragment's number says what it is, so a member that stays keeps its number when others come and go; those that come take the
/// numbers that are free. With fewer members than fragments some numbers have nobody.
struct CodedTable: Hashable, Sendable {
    /// Fragments of a chunk.
    static let widths = 2...32
    /// In the place of a member: nobody.
    static let nobody = UInt16.max

    let width: Int
    /// For each partition `width` members, by number, in the order of the fragments.
    let slots: [UInt16]

    init(width: Int, slots: [UInt16]) {
        self.width = width
        self.slots = slots
    }

    /// - Parameters:
    ///   - shares: of members that hold at most one fragment of a chunk each.
    ///   - old: the table before; nil when there was none.
    ///   - renumbered: for each member of the layout before, its number in this one; nil when it is not a member any more.
    init(width: Int, shares: FairShares, old: CodedTable?, renumbered: [Int32?]) {
        let partitionCount = shares.partitionCount
        let before = old.map { old in
            old.slots.map { $0 == Self.nobody ? nil : renumbered[Int($0)] }
        }
        let kept = before.map { before in
            (0..<partitionCount).map { partition in before[partition * width..<(partition + 1) * width].compactMap { $0 } }
        }
        let assignment = Assignment(shares: shares, old: kept ?? [])
        var slots = [UInt16](repeating: Self.nobody, count: partitionCount * width)
        for partition in 0..<partitionCount {
            var members = Set(assignment.slotRange(partition).map { assignment.slots[$0] })
            for position in partition * width..<(partition + 1) * width {
                guard let member = before?[position], members.remove(member) != nil else { continue }
                slots[position] = UInt16(member)
            }
            var others = members.sorted { (Assignment.tie(partition, $0), $0) < (Assignment.tie(partition, $1), $1) }[...]
            for position in partition * width..<(partition + 1) * width where slots[position] == Self.nobody {
                guard let member = others.popFirst() else { break }
                slots[position] = UInt16(member)
            }
        }
        self.init(width: width, slots: slots)
    }
}

extension Layout {
    func codedTable(width: Int) -> CodedTable? { codedTables.first { $0.width == width } }

    /// Fragments of a chunk, of every erasure code that the layout has places for.
    public var codedWidths: Set<Int> { Set(codedTables.map(\.width)) }

    /// The nodes that hold an erasure-coded chunk of the partition, in the order of its fragments' numbers: all different, nil
    /// where there is nobody for a fragment.
    public func nodes(of partition: Int, codedWidth width: Int) -> [NodeID?] {
        precondition((0..<partitionCount).contains(partition), "no such partition")
        guard let table = codedTable(width: width) else { return [NodeID?](repeating: nil, count: width) }
        return table.slots[partition * width..<(partition + 1) * width].map { $0 == CodedTable.nobody ? nil : members[Int($0)].node }
    }

    /// Fragments of how many erasure-coded partitions of a width must move when this layout follows `old`.
    /// - Precondition: both have the same number of partitions.
    public func movedFragments(from old: Layout, codedWidth width: Int) -> Int {
        precondition(partitionCount == old.partitionCount)
        return (0..<partitionCount).reduce(0) { count, partition in
            let pairs = zip(nodes(of: partition, codedWidth: width), old.nodes(of: partition, codedWidth: width))
            return count + pairs.count { $0 != nil && $0 != $1 }
        }
    }
}
