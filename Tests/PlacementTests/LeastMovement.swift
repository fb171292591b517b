import Core
import Placement

extension Layout {
    /// The exact least number of fragments that must move from `old` to any layout with this one's number of partitions on
    /// each node and copies in each zone: by a minimum-cost flow (successive shortest paths), for small layouts.
    func exactLeastMovement(from old: Layout) -> Int {
        let holdings = holdings
        var zoneNumbers: [String: Int] = [:]
        var zoneQuotas: [Int] = []
        let zones = members.enumerated().map { number, member in
            let name = member.zone.isEmpty ? "node \(number)" : "zone \(member.zone)"
            let zone = zoneNumbers[name] ?? zoneQuotas.count
            if zone == zoneQuotas.count { zoneQuotas.append(0) }
            zoneNumbers[name] = zone
            zoneQuotas[zone] += holdings[member.node] ?? 0
            return zone
        }
        let zoneCount = zoneQuotas.count
        let firstZone = 2 + partitionCount
        let firstNode = firstZone + partitionCount * zoneCount
        var network = FlowNetwork(vertexCount: firstNode + members.count)
        for partition in 0..<partitionCount {
            network.connect(0, 2 + partition, capacity: replicas, cost: 0)
            for (zone, quota) in zoneQuotas.enumerated() {
                let limit = (quota + partitionCount - 1) / partitionCount
                network.connect(2 + partition, firstZone + partition * zoneCount + zone, capacity: limit, cost: 0)
            }
            let before = old.nodes(of: partition)
            for (number, member) in members.enumerated() {
                let cost = before.contains(member.node) ? 0 : 1
                network.connect(firstZone + partition * zoneCount + zones[number], firstNode + number, capacity: 1, cost: cost)
            }
        }
        for (number, member) in members.enumerated() {
            network.connect(firstNode + number, 1, capacity: holdings[member.node] ?? 0, cost: 0)
        }
        let (flow, cost) = network.saturate(from: 0, to: 1)
        precondition(flow == partitionCount * replicas)
        return cost
    }
}

private struct FlowNetwork {
    private var heads: [Int] = []
    private var capacities: [Int] = []
    private var costs: [Int] = []
    private var edges: [[Int]]

    init(vertexCount: Int) { edges = [[Int]](repeating: [], count: vertexCount) }

    /// An edge and, right behind it, its reverse.
    mutating func connect(_ tail: Int, _ head: Int, capacity: Int, cost: Int) {
        edges[tail].append(heads.count)
        edges[head].append(heads.count + 1)
        heads += [head, tail]
        capacities += [capacity, 0]
        costs += [cost, -cost]
    }

    mutating func saturate(from source: Int, to sink: Int) -> (flow: Int, cost: Int) {
        var flow = 0
        var cost = 0
        while true {
            var distances = [Int?](repeating: nil, count: edges.count)
            var arrivals = [Int](repeating: -1, count: edges.count)
            distances[source] = 0
            var queue = [source]
            var position = 0
            while position < queue.count {
                let tail = queue[position]
                position += 1
                guard let distance = distances[tail] else { continue }
                for edge in edges[tail] where capacities[edge] > 0 {
                    let reached = distance + costs[edge]
                    if let known = distances[heads[edge]], known <= reached { continue }
                    distances[heads[edge]] = reached
                    arrivals[heads[edge]] = edge
                    queue.append(heads[edge])
                }
            }
            guard let distance = distances[sink] else { return (flow, cost) }
            var vertex = sink
            while vertex != source {
                capacities[arrivals[vertex]] -= 1
                capacities[arrivals[vertex] ^ 1] += 1
                vertex = heads[arrivals[vertex] ^ 1]
            }
            flow += 1
            cost += distance
        }
    }
}
