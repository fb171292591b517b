internal import Core

/// The making of a layout: which nodes (by number) hold which partition.
///
/// 1. ``keep(_:)`` what the old layout had and the new one allows, dropping evenly (``exchangeKept(_:)``).
/// 2. ``fillHoles()``: every partition that lacks a copy takes the node that lags furthest behind its share.
/// 3. ``unloadSurplus()``: nodes above their share hand partitions straight to nodes below theirs.
/// 4. ``augment()``: what the greedy steps could not place is placed along augmenting paths. That always succeeds: the rule
///    that a zone holds at most `ceil(quota / P)` copies of a partition is met by laying all nodes, zone by zone, on a line
///    as long as their quotas and winding it around the partitions (McNaughton's wrap-around rule), so a flow exists.
///
/// Equal input gives equal output: the only "randomness" is a hash of partition and node that breaks ties.
struct Assignment {
    /// Marks a copy that no node holds yet.
    static let hole: Int32 = -1

    let map: PartitionMap
    let partitionCount: Int
    let replicas: Int
    /// The zone of each node.
    let zones: [Int32]
    /// The most copies of one partition in each zone.
    let zoneLimits: [Int]
    /// How many partitions each node should hold.
    let quotas: [Int]
    /// `replicas` nodes (or holes) for each partition.
    var slots: [Int32]
    /// Whether the old layout had that pair of partition and node.
    var isKept: [Bool]
    /// Partitions that each node lacks; below 0 when it has too many.
    var needs: [Int]

    /// - Parameter old: the nodes of every partition that held it until now and still are members.
    init(shares: FairShares, old: [[Int32]]) {
        map = PartitionMap(partitionCount: shares.partitionCount)
        partitionCount = shares.partitionCount
        replicas = shares.replicas
        zones = shares.zones.map(Int32.init)
        var held = [Int](repeating: 0, count: zones.count)
        for node in old.joined() { held[Int(node)] += 1 }
        quotas = shares.rounded(held: held)
        var zoneQuotas = [Int](repeating: 0, count: (shares.zones.max() ?? 0) + 1)
        for (node, zone) in shares.zones.enumerated() { zoneQuotas[zone] += quotas[node] }
        zoneLimits = zoneQuotas.map { ($0 + shares.partitionCount - 1) / shares.partitionCount }
        slots = [Int32](repeating: Self.hole, count: partitionCount * replicas)
        isKept = [Bool](repeating: false, count: partitionCount * replicas)
        needs = zip(quotas, held).map { $0 - $1 }
        if !old.isEmpty && keep(old) { exchangeKept(old) }
        fillHoles()
        unloadSurplus()
        augment()
        precondition(needs.allSatisfy { $0 == 0 } && !slots.contains(Self.hole), "a flow that saturates every node exists")
    }

    // MARK: Questions

    func slotRange(_ partition: Int) -> Range<Int> { partition * replicas..<(partition + 1) * replicas }

    func holds(_ partition: Int, _ node: Int32) -> Bool { slotRange(partition).contains { slots[$0] == node } }

    /// Copies of the partition in a zone.
    func copies(of partition: Int, in zone: Int32) -> Int {
        var count = 0
        for slot in slotRange(partition) where slots[slot] != Self.hole && zones[Int(slots[slot])] == zone { count += 1 }
        return count
    }

    /// Whether `node` may take the partition, in the place of `replaced` if that is given.
    func mayTake(_ partition: Int, _ node: Int32, replacing replaced: Int32 = hole) -> Bool {
        if holds(partition, node) { return false }
        let zone = zones[Int(node)]
        let freed = replaced != Self.hole && zones[Int(replaced)] == zone ? 1 : 0
        return copies(of: partition, in: zone) - freed < zoneLimits[Int(zone)]
    }

    /// An even pseudo-random number in 0..<1 for each pair.
    static func tie(_ partition: Int, _ node: Int32) -> Double {
        Double(mix64(UInt64(partition) << 32 | UInt64(UInt32(bitPattern: node))) >> 11) * 0x1p-53
    }

    // MARK: Steps

    /// Takes over the old pairs, but for those beyond the number of copies or a zone's limit; of these the node goes that
    /// has most to lose.
    /// - Returns: whether any had to go.
    private mutating func keep(_ old: [[Int32]]) -> Bool {
        var hasDropped = false
        for partition in map.walk {
            var nodes = old[partition]
            while let surplus = surplus(in: nodes) {
                needs[Int(nodes[surplus])] += 1
                nodes.remove(at: surplus)
                hasDropped = true
            }
            for (slot, node) in zip(slotRange(partition), nodes) {
                slots[slot] = node
                isKept[slot] = true
            }
        }
        return hasDropped
    }

    private func surplus(in nodes: [Int32]) -> Int? {
        func crowded(_ node: Int32) -> Bool {
            let zone = zones[Int(node)]
            return nodes.count { zones[Int($0)] == zone } > zoneLimits[Int(zone)]
        }
        var candidates = nodes.indices.filter { crowded(nodes[$0]) }
        if candidates.isEmpty && nodes.count > replicas { candidates = Array(nodes.indices) }
        return candidates.min { (needs[Int(nodes[$0])], nodes[$0]) < (needs[Int(nodes[$1])], nodes[$1]) }
    }

    private mutating func fillHoles() {
        var takers = Takers(needs: needs)
        for partition in map.walk {
            for slot in slotRange(partition) where slots[slot] == Self.hole {
                guard let node = takers.best(for: partition, replacing: Self.hole, in: self) else { continue }
                slots[slot] = node
                needs[Int(node)] -= 1
                takers.took()
            }
        }
    }

    private mutating func unloadSurplus() {
        var takers = Takers(needs: needs)
        // Each node gives at an even pace along the walk, then whatever it still can.
        let surpluses = needs.map { max(0, -$0) }
        if !surpluses.contains(where: { $0 > 0 }) { return }
        let held = zip(quotas, needs).map { $0 - $1 }
        var seen = [Int](repeating: 0, count: needs.count)
        for isLastRound in [false, true] {
            for partition in map.walk {
                for slot in slotRange(partition) where slots[slot] != Self.hole {
                    let node = slots[slot]
                    let number = Int(node)
                    guard needs[number] < 0 else { continue }
                    seen[number] += 1
                    let given = surpluses[number] + needs[number]
                    guard isLastRound || given * held[number] < seen[number] * surpluses[number] else { continue }
                    guard let taker = takers.best(for: partition, replacing: node, in: self) else { continue }
                    slots[slot] = taker
                    isKept[slot] = false
                    needs[number] += 1
                    needs[Int(taker)] -= 1
                    takers.took()
                }
            }
        }
    }
}

/// Chooses among the nodes that lack partitions the one that lags furthest behind an even pace, so that every stretch of the
/// walk, and with it every blob, is spread by weight.
private struct Takers {
    private let nodes: [Int32]
    /// What each of `nodes` lacked at the beginning.
    private let wanted: [Double]
    private let total: Double
    private var taken = 0.0

    init(needs: [Int]) {
        nodes = needs.indices.filter { needs[$0] > 0 }.map(Int32.init)
        wanted = nodes.map { Double(needs[Int($0)]) }
        total = max(1, wanted.reduce(0, +))
    }

    mutating func took() { taken += 1 }

    func best(for partition: Int, replacing replaced: Int32, in assignment: Assignment) -> Int32? {
        let rest = 1 - taken / total
        var best: Int32?
        var greatest = -Double.infinity
        for position in nodes.indices {
            let node = nodes[position]
            let need = assignment.needs[Int(node)]
            // Half a partition of lag decides before the tie does.
            let lag = Double(need) - wanted[position] * rest
            guard need > 0, lag + 0.5 > greatest else { continue }
            let key = lag + 0.5 * Assignment.tie(partition, node)
            guard key > greatest, assignment.mayTake(partition, node, replacing: replaced) else { continue }
            greatest = key
            best = node
        }
        return best
    }
}
