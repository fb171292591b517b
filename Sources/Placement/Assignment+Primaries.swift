/// The order of the nodes within each partition.
extension Assignment {
    /// Puts into the first place of every partition one of its nodes, such that each node is first for within one of its
    /// even part of the partitions that it holds; the others follow in the order of a hash.
    mutating func orderByPreference() {
        var primaries = choosePrimaries()
        var counts = [Int](repeating: 0, count: quotas.count)
        for node in primaries { counts[Int(node)] += 1 }
        let floors = quotas.map { $0 / replicas }
        let ceilings = quotas.map { ($0 + replicas - 1) / replicas }
        // The fractions 1/replicas are a flow within these bounds, so a whole one exists and paths lead to it.
        for node in counts.indices {
            while counts[node] > ceilings[node] {
                let moved =
                    shift(&primaries, &counts, from: { $0 == node }, to: { counts, other in counts[other] < floors[other] })
                    || shift(&primaries, &counts, from: { $0 == node }, to: { counts, other in counts[other] < ceilings[other] })
                precondition(moved, "an even choice of primaries exists")
            }
        }
        for node in counts.indices {
            while counts[node] < floors[node] {
                let current = counts
                let moved = shift(&primaries, &counts, from: { current[$0] > floors[$0] }, to: { _, other in other == node })
                precondition(moved, "an even choice of primaries exists")
            }
        }
        for partition in 0..<partitionCount { order(partition, primary: primaries[partition]) }
    }

    /// Greedy, along the walk: the node that has been first least often for what it holds.
    private func choosePrimaries() -> [Int32] {
        var primaries = [Int32](repeating: Self.hole, count: partitionCount)
        // Lag behind an even part, in units of 1/replicas.
        var lags = [Int](repeating: 0, count: quotas.count)
        for partition in map.walk {
            var chosen = slots[partition * replicas]
            var greatest = -Double.infinity
            for slot in slotRange(partition) {
                let node = slots[slot]
                lags[Int(node)] += 1
                let key = Double(lags[Int(node)]) + 0.5 * Self.tie(partition, node)
                if key > greatest {
                    greatest = key
                    chosen = node
                }
            }
            lags[Int(chosen)] -= replicas
            primaries[partition] = chosen
        }
        return primaries
    }

    /// Hands one first place along the shortest path from a node of `source` to one of `sink`.
    private func shift(
        _ primaries: inout [Int32], _ counts: inout [Int], from isSource: (Int) -> Bool, to isSink: ([Int], Int) -> Bool
    ) -> Bool {
        var partitionsOf = [[Int]](repeating: [], count: counts.count)
        for (partition, node) in primaries.enumerated() { partitionsOf[Int(node)].append(partition) }
        var arrival = [Int](repeating: -1, count: counts.count)
        var queue = counts.indices.filter(isSource)
        var isReached = counts.indices.map(isSource)
        var head = 0
        while head < queue.count {
            let node = queue[head]
            head += 1
            for partition in partitionsOf[node] {
                for slot in slotRange(partition) {
                    let other = Int(slots[slot])
                    if isReached[other] { continue }
                    isReached[other] = true
                    arrival[other] = partition
                    queue.append(other)
                    guard isSink(counts, other) else { continue }
                    counts[other] += 1
                    var receiver = other
                    while arrival[receiver] >= 0 {
                        let giver = Int(primaries[arrival[receiver]])
                        primaries[arrival[receiver]] = Int32(receiver)
                        receiver = giver
                    }
                    counts[receiver] -= 1
                    return true
                }
            }
        }
        return false
    }

    private mutating func order(_ partition: Int, primary: Int32) {
        let nodes = slotRange(partition).map { slots[$0] }
        let rest = nodes.filter { $0 != primary }.sorted { (Self.tie(partition, $0), $0) < (Self.tie(partition, $1), $1) }
        for (slot, node) in zip(slotRange(partition), [primary] + rest) { slots[slot] = node }
    }
}
