/// Exact repair of what the greedy steps left over: augmenting paths in the flow network
/// partition -> (partition, zone) -> node (Ford and Fulkerson, 1956; breadth first as in Edmonds and Karp, 1972).
extension Assignment {
    /// Fills every hole and unloads every node above its quota, one shortest path at a time.
    mutating func augment() {
        for partition in map.walk {
            for slot in slotRange(partition) where slots[slot] == Self.hole {
                let path = path(from: .hole(partition, slot: slot))
                apply(path)
            }
        }
        for node in needs.indices {
            while needs[node] < 0 {
                let path = path(from: .surplus(node))
                apply(path)
                needs[node] += 1
            }
        }
    }

    private enum Source {
        case hole(Int, slot: Int)
        case surplus(Int)
    }

    /// One step of a path: `node` goes into `slot`, whoever was there goes on to the step before.
    private struct Step {
        let slot: Int
        let node: Int32
    }

    private mutating func apply(_ steps: [Step]?) {
        guard let steps, let last = steps.first else { preconditionFailure("an augmenting path exists while quotas are unmet") }
        for step in steps {
            slots[step.slot] = step.node
            isKept[step.slot] = false
        }
        needs[Int(last.node)] -= 1
    }

    /// The shortest path that moves only what moves anyway; failing that, the shortest of all.
    private func path(from source: Source) -> [Step]? {
        var search = Search(assignment: self, mayMoveKept: false)
        if let steps = search.run(from: source) { return steps }
        search = Search(assignment: self, mayMoveKept: true)
        return search.run(from: source)
    }

    private struct Search {
        let assignment: Assignment
        let mayMoveKept: Bool
        /// Slots of each node.
        private var slotsOfNode: [[Int32]]
        /// Nodes not reached yet, by zone.
        private var unreached: [[Int32]]
        /// Zones with nodes not reached yet.
        private var openZones: [Int]
        private var isExpanded: [Bool]
        private var queue: [Int32] = []
        /// The slot through which each node was reached.
        private var slotOfArrival: [Int]

        init(assignment: Assignment, mayMoveKept: Bool) {
            self.assignment = assignment
            self.mayMoveKept = mayMoveKept
            slotsOfNode = [[Int32]](repeating: [], count: assignment.needs.count)
            for (slot, node) in assignment.slots.enumerated() where node != Assignment.hole {
                if mayMoveKept || !assignment.isKept[slot] { slotsOfNode[Int(node)].append(Int32(slot)) }
            }
            unreached = [[Int32]](repeating: [], count: assignment.zoneLimits.count)
            for (node, zone) in assignment.zones.enumerated() { unreached[Int(zone)].append(Int32(node)) }
            openZones = Array(unreached.indices)
            isExpanded = [Bool](repeating: false, count: assignment.partitionCount)
            slotOfArrival = [Int](repeating: -1, count: assignment.needs.count)
        }

        mutating func run(from source: Source) -> [Step]? {
            var start: Int32 = Assignment.hole
            switch source {
            case .hole(let partition, let slot):
                if let goal = expand(partition, through: slot) { return steps(to: goal, start: start) }
            case .surplus(let node):
                start = Int32(node)
                unreached[Int(assignment.zones[node])].removeAll { $0 == start }
                queue.append(start)
                // A node above its quota may give away what it kept.
                if !mayMoveKept {
                    slotsOfNode[node] = assignment.slots.indices.filter { assignment.slots[$0] == start }.map(Int32.init)
                }
            }
            var head = 0
            while head < queue.count {
                let node = queue[head]
                head += 1
                for slot in slotsOfNode[Int(node)] {
                    let partition = Int(slot) / assignment.replicas
                    let zone = Int(assignment.zones[Int(node)])
                    // Whoever takes the node's place in its own zone leaves the zone as full as it was.
                    if let goal = reach(zone, partition: partition, through: Int(slot)) { return steps(to: goal, start: start) }
                    if let goal = expand(partition, through: Int(slot)) { return steps(to: goal, start: start) }
                }
            }
            return nil
        }

        /// Reaches every node that may join the partition as it is. - Returns: one that has room, if any.
        private mutating func expand(_ partition: Int, through slot: Int) -> Int32? {
            if isExpanded[partition] { return nil }
            isExpanded[partition] = true
            for zone in openZones where assignment.copies(of: partition, in: Int32(zone)) < assignment.zoneLimits[zone] {
                if let goal = reach(zone, partition: partition, through: slot) { return goal }
            }
            openZones.removeAll { unreached[$0].isEmpty }
            return nil
        }

        /// Reaches the nodes of a zone that do not hold the partition. - Returns: one that has room, if any.
        private mutating func reach(_ zone: Int, partition: Int, through slot: Int) -> Int32? {
            if unreached[zone].isEmpty { return nil }
            var left: [Int32] = []
            var goal: Int32?
            for node in unreached[zone] {
                if assignment.holds(partition, node) {
                    left.append(node)
                    continue
                }
                slotOfArrival[Int(node)] = slot
                queue.append(node)
                if goal == nil && assignment.needs[Int(node)] > 0 { goal = node }
            }
            unreached[zone] = left
            return goal
        }

        /// From the node with room back to the source.
        private func steps(to goal: Int32, start: Int32) -> [Step] {
            var steps: [Step] = []
            var node = goal
            while node != start && node != Assignment.hole {
                let slot = slotOfArrival[Int(node)]
                steps.append(Step(slot: slot, node: node))
                node = assignment.slots[slot]
            }
            return steps
        }
    }
}
