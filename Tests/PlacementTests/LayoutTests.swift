import Core
import Placement
import Testing

@Suite struct LayoutTests {
    @Test("six equal nodes hold three copies of everything, 512 partitions each, first for a third of them")
    func sixEqualNodes() throws {
        let layout = try Layout.initial(members: members(0..<6), replicas: 3, partitionCount: 1024)
        #expect(layout.version == 1)
        #expect(layout.holdings.values.allSatisfy { $0 == 512 })
        #expect(layout.violations() == [])
    }

    @Test("there are never more copies than members")
    func fewerMembersThanCopies() throws {
        let one = try Layout.initial(members: members(0..<1), replicas: 3, partitionCount: 1024)
        #expect(one.replicas == 1)
        #expect(one.violations() == [])
        let two = try one.next(members: members(0..<2), replicas: 3)
        #expect(two.replicas == 2)
        #expect(two.version == 2)
        #expect(two.violations() == [])
        #expect(two.movedFragments(from: one) == 1024)
        let four = try two.next(members: members(0..<4), replicas: 3)
        #expect(four.replicas == 3)
        #expect(four.violations() == [])
        #expect(four.movedFragments(from: two) == four.leastMovement(from: two))
    }

    @Test("a node that outweighs all others holds everything once and the others share the rest")
    func heavyNode() throws {
        let layout = try Layout.initial(members: members(0..<5, weight: { $0 == 0 ? 100 : 1 }), replicas: 3, partitionCount: 1024)
        #expect(layout.holdings[nodeID(0)] == 1024)
        #expect((1..<5).allSatisfy { layout.holdings[nodeID($0)] == 512 })
        #expect(layout.violations() == [])
    }

    @Test("three zones of equal weight hold one copy each")
    func zones() throws {
        let layout = try Layout.initial(members: members(0..<9, zone: { "zone\($0 % 3)" }), replicas: 3, partitionCount: 1024)
        #expect(layout.violations() == [])
        let zones = Dictionary(uniqueKeysWithValues: layout.members.map { ($0.node, $0.zone) })
        for partition in 0..<1024 { #expect(Set(layout.nodes(of: partition).map { zones[$0] }).count == 3) }
    }

    @Test("a third zone takes the copies that two zones had to double")
    func thirdZone() throws {
        let two = try Layout.initial(members: members(0..<4, zone: { "zone\($0 % 2)" }), replicas: 3, partitionCount: 1024)
        #expect(two.violations() == [])
        let three = try two.next(members: members(0..<6, zone: { $0 < 4 ? "zone\($0 % 2)" : "zone2" }), replicas: 3)
        #expect(three.violations() == [])
        #expect(Double(three.movedFragments(from: two)) <= 1.1 * Double(three.leastMovement(from: two)))
    }

    @Test("successors come from zones without a copy first")
    func successorsOfOtherZones() throws {
        let layout = try Layout.initial(members: members(0..<12, zone: { "zone\($0 % 4)" }), replicas: 3, partitionCount: 256)
        let zones = Dictionary(uniqueKeysWithValues: layout.members.map { ($0.node, $0.zone) })
        for partition in 0..<256 {
            let taken = Set(layout.nodes(of: partition).map { zones[$0] })
            #expect(!taken.contains(zones[layout.successors(of: partition)[0]]))
        }
    }

    @Test("first successors are spread by weight")
    func successorsByWeight() throws {
        let layout = try Layout.initial(members: members(0..<10, weight: { $0 == 0 ? 2 : 1 }), replicas: 1, partitionCount: 16_384)
        var firsts: [NodeID: Int] = [:]
        for partition in 0..<16_384 { firsts[layout.successors(of: partition)[0], default: 0] += 1 }
        // Node 0 holds 2/11 itself; of the rest it is first with 2/10 each time.
        let expected = 16_384.0 * 9 / 11 * 2 / 10
        #expect(abs(Double(firsts[nodeID(0)] ?? 0) - expected) < 0.1 * expected)
        for node in 1..<10 { #expect(abs(Double(firsts[nodeID(node)] ?? 0) - (16_384 - expected) / 9) < 0.1 * 16_384 / 9) }
    }

    @Test("the order of the members does not matter, nor does anything but the input")
    func deterministic() throws {
        let one = try Layout.initial(members: members(0..<20), replicas: 3, partitionCount: 512)
        let other = try Layout.initial(members: members((0..<20).reversed()), replicas: 3, partitionCount: 512)
        #expect(one == other)
        #expect(try one.next(members: members(1..<25), replicas: 3) == other.next(members: members((1..<25).reversed()), replicas: 3))
        #expect(one.encoded() == other.encoded())
    }

    @Test("a layout of the same members moves nothing")
    func nothingMoves() throws {
        let one = try Layout.initial(members: members(0..<7, weight: { 1 + Double($0) / 3 }), replicas: 3, partitionCount: 1024)
        let next = try one.next(members: one.members, replicas: 3)
        #expect(next.movedFragments(from: one) == 0)
        #expect(next.version == 2)
    }

    @Test("a dead node's partitions are restored from many nodes, not from few")
    func partnersAreSpread() throws {
        let layout = try Layout.initial(members: members(0..<30), replicas: 3, partitionCount: 1024)
        var partners: Set<NodeID> = []
        for partition in 0..<1024 {
            let nodes = layout.nodes(of: partition)
            if nodes.contains(nodeID(0)) { partners.formUnion(nodes) }
        }
        #expect(partners.count == 30)
    }

    @Test("what cannot be a layout is refused by name")
    func refusals() {
        func initial(_ members: [LayoutMember], replicas: Int = 3, partitionCount: Int = 1024) throws {
            _ = try Layout.initial(members: members, replicas: replicas, partitionCount: partitionCount)
        }
        #expect(throws: PlacementError.noMembers) { try initial([]) }
        #expect(throws: PlacementError.duplicateNode(nodeID(1))) { try initial(members([0, 1, 1])) }
        for weight in [0, -1, Double.infinity, -Double.infinity] {
            #expect(throws: PlacementError.invalidWeight(nodeID(0), weight: weight)) { try initial(members([0], weight: { _ in weight })) }
        }
        #expect(throws: PlacementError.self) { try initial(members([0], weight: { _ in .nan })) }
        #expect(throws: PlacementError.invalidReplicaCount(0)) { try initial(members([0]), replicas: 0) }
        for count in [0, -4, 1000, 1 << 21] {
            #expect(throws: PlacementError.invalidPartitionCount(count)) { try initial(members([0]), partitionCount: count) }
        }
        #expect(throws: PlacementError.zoneNameTooLong(nodeID(0))) {
            try initial(members([0], zone: { _ in String(repeating: "z", count: 256) }))
        }
    }

    @Test("weights far apart make a layout all the same", arguments: [1e-300, 1e-6, 1e6, 1e300])
    func extremeWeights(weight: Double) throws {
        let layout = try Layout.initial(members: members(0..<6, weight: { $0 == 3 ? weight : 1 }), replicas: 3, partitionCount: 256)
        #expect(layout.holdings.values.reduce(0, +) == 768)
        #expect(layout.holdings[nodeID(3)] == (weight < 1 ? 0 : 256))
    }
}
