/// How many partitions each node should hold, by its weight.
struct FairShares {
    /// A node that came out this close to a whole number stands on it: the difference is rounding of the arithmetic.
    private static let tolerance = 1e-6

    let partitionCount: Int
    let replicas: Int
    /// The zone of each node, by number.
    let zones: [Int]
    /// Partitions for each node, before rounding; they sum to `partitionCount * replicas`.
    let exact: [Double]

    /// A node holds a partition at most once: what a heavy node cannot take goes to the others, by their weights.
    init(weights: [Double], zones: [Int], partitionCount: Int, replicas: Int) {
        precondition(!weights.isEmpty && replicas <= weights.count)
        self.partitionCount = partitionCount
        self.replicas = replicas
        self.zones = zones
        let limit = Double(partitionCount)
        var shares = [Double](repeating: 0, count: weights.count)
        var open = Array(weights.indices)
        var rest = limit * Double(replicas)
        while !open.isEmpty {
            // Of those that are left: beside a weight of a million, the smallest that there is would be none at all.
            let heaviest = open.reduce(0) { max($0, weights[$1]) }
            let total = open.reduce(0) { $0 + weights[$1] / heaviest }
            for node in open { shares[node] = rest * (weights[node] / heaviest) / total }
            let capped = open.filter { shares[$0] >= limit }
            if capped.isEmpty { break }
            for node in capped { shares[node] = limit }
            rest -= limit * Double(capped.count)
            open.removeAll { shares[$0] >= limit }
        }
        exact = shares.map(Self.snapped)
    }

    private static func snapped(_ value: Double) -> Double {
        abs(value - value.rounded()) < tolerance ? value.rounded() : value
    }

    /// Whole numbers that differ from the exact shares by less than one, for nodes and, summed, for zones.
    ///
    /// Largest remainder, except that whoever already holds the odd partition (`held`) goes first: it need not move.
    func rounded(held: [Int]) -> [Int] {
        let zoneCount = (zones.max() ?? 0) + 1
        var zoneShares = [Double](repeating: 0, count: zoneCount)
        var zoneHeld = [Int](repeating: 0, count: zoneCount)
        var members = [[Int]](repeating: [], count: zoneCount)
        for (node, zone) in zones.enumerated() {
            zoneShares[zone] += exact[node]
            zoneHeld[zone] += held[node]
            members[zone].append(node)
        }
        let zoneQuotas = Self.round(zoneShares.map(Self.snapped), to: partitionCount * replicas, held: zoneHeld)
        var quotas = [Int](repeating: 0, count: zones.count)
        for (zone, nodes) in members.enumerated() where !nodes.isEmpty {
            let rounded = Self.round(nodes.map { exact[$0] }, to: zoneQuotas[zone], held: nodes.map { held[$0] })
            for (node, quota) in zip(nodes, rounded) { quotas[node] = quota }
        }
        precondition(quotas.allSatisfy { $0 <= partitionCount } && quotas.reduce(0, +) == partitionCount * replicas)
        return quotas
    }

    private static func round(_ shares: [Double], to total: Int, held: [Int]) -> [Int] {
        var result = shares.map { Int($0) }
        let remainders = shares.map { $0 - $0.rounded(.down) }
        let order = shares.indices.filter { remainders[$0] > 0 }.sorted { left, right in
            let leftHolds = held[left] > result[left]
            let rightHolds = held[right] > result[right]
            if leftHolds != rightHolds { return leftHolds }
            return (remainders[right], left) < (remainders[left], right)
        }
        for index in order.prefix(total - result.reduce(0, +)) { result[index] += 1 }
        return result
    }
}
