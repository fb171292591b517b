import Core
import Placement

func nodeID(_ number: Int) -> NodeID { NodeID(uuid: UUIDv7(high: mix64(UInt64(number) + 1), low: UInt64(number))) }

func members(_ numbers: some Sequence<Int>, weight: (Int) -> Double = { _ in 1 }, zone: (Int) -> String = { _ in "" }) -> [LayoutMember] {
    numbers.map { LayoutMember(node: nodeID($0), weight: weight($0), zone: zone($0)) }
}

extension Layout {
    /// Partitions that each member holds.
    var holdings: [NodeID: Int] {
        var counts = Dictionary(uniqueKeysWithValues: members.map { ($0.node, 0) })
        for partition in 0..<partitionCount {
            for node in nodes(of: partition) { counts[node, default: 0] += 1 }
        }
        return counts
    }

    /// The fair share of each member, found another way than by the code under test: bisection of the water level.
    var fairShares: [NodeID: Double] {
        let limit = Double(partitionCount)
        let heaviest = members.map(\.weight).max() ?? 1
        let lightest = members.map(\.weight).min() ?? 1
        func total(_ level: Double) -> Double { members.reduce(0) { $0 + min(limit, level * $1.weight / heaviest) } }
        var low = 0.0
        var high = limit * heaviest / lightest
        for _ in 0..<200 {
            let middle = (low + high) / 2
            if total(middle) < limit * Double(replicas) { low = middle } else { high = middle }
        }
        return Dictionary(uniqueKeysWithValues: members.map { ($0.node, min(limit, high * $0.weight / heaviest)) })
    }

    /// What is wrong with the layout; empty when nothing is.
    func violations() -> [String] {
        var found: [String] = []
        let shares = fairShares
        for (node, count) in holdings {
            guard let share = shares[node] else { return ["\(node) is no member"] }
            if abs(Double(count) - share) >= 1 + 1e-6 { found.append("\(node) holds \(count), its fair share is \(share)") }
        }
        let zones = Dictionary(uniqueKeysWithValues: members.map { ($0.node, $0.zone.isEmpty ? "\($0.node)" : $0.zone) })
        var zoneShares: [String: Double] = [:]
        for (node, zone) in zones { zoneShares[zone, default: 0] += shares[node] ?? 0 }
        var firsts: [NodeID: Int] = [:]
        for partition in 0..<partitionCount {
            let nodes = nodes(of: partition)
            firsts[nodes[0], default: 0] += 1
            if nodes.count != replicas || Set(nodes).count != replicas { found.append("partition \(partition) is on \(nodes)") }
            for (zone, copies) in Dictionary(grouping: nodes, by: { zones[$0] ?? "" }) {
                let limit = ((zoneShares[zone] ?? 0) / Double(partitionCount) - 1e-6).rounded(.up)
                if Double(copies.count) > limit {
                    found.append("partition \(partition) has \(copies.count) copies in \(zone), not \(limit)")
                }
            }
            let successors = successors(of: partition)
            if Set(successors + nodes) != Set(members.map(\.node)) || successors.count + nodes.count != members.count {
                found.append("partition \(partition): holders and successors are not the members")
            }
        }
        for (node, count) in holdings where abs(Double(firsts[node] ?? 0) - Double(count) / Double(replicas)) >= 1 {
            found.append("\(node) is first \(firsts[node] ?? 0) times for \(count) partitions")
        }
        return found
    }

    /// The least that must move to come from `old` to this layout's number of partitions on each node.
    func leastMovement(from old: Layout) -> Int {
        let before = old.holdings
        return holdings.reduce(0) { $0 + max(0, $1.value - (before[$1.key] ?? 0)) }
    }
}
