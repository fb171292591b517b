import Core
import Placement
import Testing

@Suite struct LayoutEncodingTests {
    @Test("small and large layouts come back as they were", arguments: [1, 6, 256, 257])
    func roundTrip(count: Int) throws {
        let layout = try Layout.initial(
            members: members(0..<count, weight: { 1 + Double($0 % 3) }, zone: { $0 % 2 == 0 ? "Москва" : "" }), replicas: 3,
            partitionCount: 64)
        #expect(try Layout(decoding: layout.encoded()) == layout)
    }

    @Test("the layout of four nodes and eight partitions has always these bytes")
    func golden() throws {
        let layout = try Layout.initial(
            members: (1...4).map { LayoutMember(node: NodeID(uuid: UUIDv7(high: 1, low: UInt64($0))), zone: $0 == 4 ? "z" : "") },
            replicas: 2, partitionCount: 8)
        let bytes = layout.encoded()
        #expect(hexadecimal(bytes.prefix(21)) == "43464c590100010000000000000008000000020400")
        #expect(hexadecimal(bytes.dropFirst(21).prefix(25)) == "00000000000000010000000000000001000000000000f03f00")
        #expect(bytes.count == 21 + 4 * 25 + 1 + 8 * 2 + 4)
        #expect(hexadecimal(bytes.suffix(20)) == "02010301010000030002030001020203ab09a63c")
    }

    @Test("a layout with one bit flipped, or cut short, is refused")
    func damage() throws {
        let bytes = try Layout.initial(members: members(0..<3), replicas: 2, partitionCount: 16).encoded()
        for position in bytes.indices {
            var damaged = bytes
            damaged[position] ^= 1 << UInt8(position % 8)
            #expect(throws: PlacementError.self) { try Layout(decoding: damaged) }
            #expect(throws: PlacementError.self) { try Layout(decoding: Array(bytes[..<position])) }
        }
        #expect(throws: PlacementError.self) { try Layout(decoding: bytes + [0]) }
    }

    @Test("bytes that are well summed but make no sense are refused")
    func nonsense() throws {
        let bytes = try Layout.initial(members: members(0..<3), replicas: 2, partitionCount: 16).encoded()
        func resummed(_ change: (inout [UInt8]) -> Void) -> [UInt8] {
            var body = Array(bytes.dropLast(4))
            change(&body)
            return body + withUnsafeBytes(of: CRC32C.checksum(body).littleEndian, Array.init)
        }
        #expect(throws: Never.self) { try Layout(decoding: resummed { _ in }) }
        for change: (inout [UInt8]) -> Void in [
            { $0[$0.count - 1] = 3 },  // no such member
            { $0[$0.count - 1] = $0[$0.count - 2] },  // the same member twice
            { $0[4] = 2 },  // a later format
            { $0[14] = 15 },  // not a power of two
            { $0[18] = 0 },  // no copies
            { $0[18] = 4 },  // more copies than members
            { $0.append(0) },
            { $0.removeLast() },
        ] {
            #expect(throws: PlacementError.self) { try Layout(decoding: resummed(change)) }
        }
    }
}
