extension Assignment {
    /// After copies were dropped, because fewer are wanted or because a zone has too many: nodes that kept too much take over
    /// the dropping from nodes that kept too little, along shortest paths of pairs that the old layout had. Nothing moves.
    mutating func exchangeKept(_ old: [[Int32]]) {
        for node in needs.indices {
            while needs[node] < 0, let path = exchangePath(from: Int32(node), old) {
                for (slot, taker) in path.steps { slots[slot] = taker }
                needs[node] += 1
                needs[Int(path.end)] -= 1
            }
        }
    }

    /// - Returns: which node takes which slot, so that `start` has one copy less and `end`, which lacks one, one more.
    private func exchangePath(from start: Int32, _ old: [[Int32]]) -> (steps: [(slot: Int, taker: Int32)], end: Int32)? {
        var slotsOfNode = [[Int]](repeating: [], count: needs.count)
        for (slot, node) in slots.enumerated() where node != Self.hole { slotsOfNode[Int(node)].append(slot) }
        var slotOfArrival = [Int?](repeating: nil, count: needs.count)
        // A partition takes part once: two exchanges in it might together break the limit of a zone.
        var isUsed = [Bool](repeating: false, count: partitionCount)
        var queue = [start]
        var head = 0
        while head < queue.count {
            let node = queue[head]
            head += 1
            for slot in slotsOfNode[Int(node)] {
                let partition = slot / replicas
                if isUsed[partition] { continue }
                for taker in old[partition] where taker != start && slotOfArrival[Int(taker)] == nil {
                    guard mayTake(partition, taker, replacing: node) else { continue }
                    isUsed[partition] = true
                    slotOfArrival[Int(taker)] = slot
                    queue.append(taker)
                    guard needs[Int(taker)] > 0 else { continue }
                    var steps: [(slot: Int, taker: Int32)] = []
                    var current = taker
                    while current != start, let slot = slotOfArrival[Int(current)] {
                        steps.append((slot, current))
                        current = slots[slot]
                    }
                    return (steps, taker)
                }
            }
        }
        return nil
    }
}
