import Core
import Placement
import Testing

/// Where the fragments of erasure-coded chunks go.
@Suite struct CodedTableTests {
    private let partitionCount = 256

    @Test("every fragment of a chunk has a node of its own, and every node its fair part", arguments: [6, 7, 10, 24])
    func places(memberCount: Int) throws {
        let layout = try Layout.initial(members: members(0..<memberCount), replicas: 3, partitionCount: partitionCount, codedWidths: [6])
        #expect(layout.codedWidths == [6])
        var counts: [NodeID: Int] = [:]
        for partition in 0..<partitionCount {
            let nodes = layout.nodes(of: partition, codedWidth: 6).compactMap { $0 }
            #expect(Set(nodes).count == 6)
            for node in nodes { counts[node, default: 0] += 1 }
            let successors = layout.successors(of: partition, codedWidth: 6)
            #expect(Set(successors + nodes).count == memberCount && successors.count + 6 == memberCount)
        }
        let share = Double(partitionCount * 6) / Double(memberCount)
        #expect(counts.count == memberCount && counts.values.allSatisfy { abs(Double($0) - share) < 1 })
    }

    @Test("fewer members than fragments: some fragments have nobody, none of the members two")
    func tooFewMembers() throws {
        let layout = try Layout.initial(members: members(0..<4), replicas: 3, partitionCount: partitionCount, codedWidths: [6])
        for partition in 0..<partitionCount {
            let nodes = layout.nodes(of: partition, codedWidth: 6)
            #expect(nodes.count == 6 && Set(nodes.compactMap { $0 }).count == 4)
        }
        let six = try layout.next(members: members(0..<6), replicas: 3)
        #expect((0..<partitionCount).allSatisfy { !six.nodes(of: $0, codedWidth: 6).contains(nil) })
        #expect(six.movedFragments(from: layout, codedWidth: 6) == 2 * partitionCount)
    }

    @Test("through every change who stays keeps the number of its fragment, and not much more moves than must", arguments: UInt64(0)..<16)
    func changes(seed: UInt64) throws {
        let random = SeededRandom(seed: seed)
        let width = 3 + random.next(in: 0..<6)
        var numbers = Array(0..<(2 + random.next(in: 0..<14)))
        var nextNumber = 100
        var layout = try Layout.initial(members: members(numbers), replicas: 2, partitionCount: partitionCount, codedWidths: [width])
        for step in 0..<6 {
            if random.next(in: 0..<3) == 0, numbers.count > 1 {
                numbers.remove(at: random.next(in: 0..<numbers.count))
            } else {
                numbers.append(nextNumber)
                nextNumber += 1
            }
            let next = try layout.next(members: members(numbers), replicas: 2)
            var (before, after): ([NodeID: Int], [NodeID: Int]) = ([:], [:])
            for partition in 0..<partitionCount {
                let old = layout.nodes(of: partition, codedWidth: width)
                let new = next.nodes(of: partition, codedWidth: width)
                for node in old { node.map { before[$0, default: 0] += 1 } }
                for node in new { node.map { after[$0, default: 0] += 1 } }
                for (number, node) in new.enumerated() where node != nil && old.contains(node) {
                    #expect(old[number] == node, "seed \(seed), step \(step), partition \(partition)")
                }
                #expect(new.count { $0 != nil } == min(width, numbers.count), "seed \(seed), step \(step)")
            }
            let least = after.reduce(0) { $0 + max(0, $1.value - (before[$1.key] ?? 0)) }
            let moved = next.movedFragments(from: layout, codedWidth: width)
            #expect(Double(moved) <= 1.1 * Double(least) + 2, "seed \(seed), step \(step): \(moved), at least \(least)")
            #expect(try Layout(decoding: next.encoded()) == next, "seed \(seed), step \(step)")
            layout = next
        }
    }

    @Test("a table that is added later leaves everything else as it was")
    func addition() throws {
        let three = try Layout.initial(members: members(0..<9), replicas: 3, partitionCount: partitionCount, codedWidths: [3])
        let both = try three.next(members: three.members, replicas: 3, codedWidths: [6])
        #expect(both.codedWidths == [3, 6])
        #expect(both.movedFragments(from: three) == 0 && both.movedFragments(from: three, codedWidth: 3) == 0)
        #expect(throws: PlacementError.invalidWidth([99])) { try three.next(members: three.members, replicas: 3, codedWidths: [99]) }
    }

    @Test("a layout with tables that is cut short or has a bit flipped is refused")
    func damage() throws {
        let bytes = try Layout.initial(members: members(0..<5), replicas: 2, partitionCount: 8, codedWidths: [3, 4]).encoded()
        for position in bytes.indices {
            var damaged = bytes
            damaged[position] ^= 1 << UInt8(position % 8)
            #expect(throws: PlacementError.self) { try Layout(decoding: damaged) }
            #expect(throws: PlacementError.self) { try Layout(decoding: Array(bytes[..<position])) }
        }
    }
}
