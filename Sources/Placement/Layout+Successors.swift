public import Core

extension Layout {
    /// All members that do not hold the partition, in the order in which they cover for those that are missing.
    ///
    /// Weighted rendezvous hashing (Schindelhauer and Schomaker, "Weighted distributed hash tables", 2005), so what a missing
    /// node leaves is spread over all others by weight; but nodes of zones that hold nothing of the partition come first, one
    /// of each, and so on. Costs a sort of the members: some 100 ns for a handful, 100 us for a thousand.
    public func successors(of partition: Int) -> [NodeID] {
        successors(of: partition, holders: slotRange(partition).lazy.map { slots[$0] })
    }

    /// The same for the erasure-coded chunks of the partition.
    public func successors(of partition: Int, codedWidth width: Int) -> [NodeID] {
        guard let table = codedTable(width: width) else { return successors(of: partition, holders: EmptyCollection()) }
        return successors(
            of: partition, holders: table.slots[partition * width..<(partition + 1) * width].lazy.filter { $0 != CodedTable.nobody })
    }

    /// - Parameter holders: members that hold something of the partition, by number.
    private func successors(of partition: Int, holders: some Sequence<UInt16>) -> [NodeID] {
        var copiesInZone: [Int32: Int] = [:]
        var isHolder = [Bool](repeating: false, count: members.count)
        for holder in holders {
            let number = Int(holder)
            isHolder[number] = true
            copiesInZone[zones[number], default: 0] += 1
        }
        var candidates: [(number: Int, score: Double, crowding: Int)] = []
        candidates.reserveCapacity(members.count)
        for number in members.indices where !isHolder[number] {
            candidates.append((number, score(partition, number), 0))
        }
        candidates.sort { ($0.score, $0.number) < ($1.score, $1.number) }
        for position in candidates.indices {
            let zone = zones[candidates[position].number]
            candidates[position].crowding = copiesInZone[zone, default: 0]
            copiesInZone[zone, default: 0] += 1
        }
        candidates.sort { ($0.crowding, $0.score, $0.number) < ($1.crowding, $1.score, $1.number) }
        return candidates.map { members[$0.number].node }
    }

    /// The smaller, the earlier. Drawn from the exponential distribution whose rate is the member's weight.
    private func score(_ partition: Int, _ number: Int) -> Double {
        let node = members[number].node.uuid
        let hash = mix64(mix64(node.high ^ UInt64(partition)) &+ node.low)
        // 53 bits, moved off 0 by half a step: within 0..<1, both ends excluded.
        return -Self.logarithm((Double(hash >> 11) + 0.5) * 0x1p-53) / members[number].weight
    }

    /// The natural logarithm of a normal positive number, by arithmetic that IEEE 754 fixes to the last bit: the system's
    /// differs between platforms, and every distributor must find the same order.
    static func logarithm(_ value: Double) -> Double {
        // ln m = 2 artanh((m - 1) / (m + 1)), m in 1..<2, as a power series that is good to 1e-12.
        let ratio = (value.significand - 1) / (value.significand + 1)
        let square = ratio * ratio
        var sum = 0.0
        for power in stride(from: 23, through: 1, by: -2) { sum = sum * square + 1 / Double(power) }
        return 2 * ratio * sum + Double(value.exponent) * 0.693_147_180_559_945_3
    }
}
