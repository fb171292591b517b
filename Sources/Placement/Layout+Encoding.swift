internal import Core

/// The form in which a layout is kept and sent (docs/decisions/0002-placement.md has it byte by byte).
extension Layout {
    /// "CFLY"
    private static let magic: [UInt8] = [0x43, 0x46, 0x4C, 0x59]
    private static let format: UInt16 = 1
    /// The same, followed by tables for erasure-coded chunks: written only where there are any.
    private static let formatWithCodedTables: UInt16 = 2

    public func encoded() -> [UInt8] {
        var bytes = Self.magic
        func append(_ value: some FixedWidthInteger) { withUnsafeBytes(of: value.littleEndian) { bytes.append(contentsOf: $0) } }
        append(codedTables.isEmpty ? Self.format : Self.formatWithCodedTables)
        append(UInt64(version))
        append(UInt32(partitionCount))
        append(UInt8(replicas))
        append(UInt16(members.count))
        for member in members {
            bytes += member.node.bytes
            append(member.weight.bitPattern)
            append(UInt8(member.zone.utf8.count))
            bytes += member.zone.utf8
        }
        for slot in slots {
            if members.count <= 256 { append(UInt8(slot)) } else { append(slot) }
        }
        if !codedTables.isEmpty { append(UInt8(codedTables.count)) }
        for table in codedTables {
            append(UInt8(table.width))
            for slot in table.slots { append(slot) }
        }
        append(CRC32C.checksum(bytes))
        return bytes
    }

    /// - Throws: ``PlacementError/undecodable(detail:)``, or another ``PlacementError`` when the members make no layout.
    public init(decoding bytes: [UInt8]) throws {
        var reader = Reader(bytes: bytes[...])
        guard try reader.take(4).elementsEqual(Self.magic) else { throw PlacementError.undecodable(detail: "not a layout") }
        let format = try reader.integer(UInt16.self)
        guard format == Self.format || format == Self.formatWithCodedTables else {
            throw PlacementError.undecodable(detail: "unknown format \(format)")
        }
        guard bytes.count > 4 else { throw PlacementError.undecodable(detail: "too short") }
        var trailer = Reader(bytes: bytes.suffix(4))
        guard try trailer.integer(UInt32.self) == CRC32C.checksum(Array(bytes.dropLast(4))) else {
            throw PlacementError.undecodable(detail: "its checksum does not match")
        }
        guard let version = Int(exactly: try reader.integer(UInt64.self)), version > 0 else {
            throw PlacementError.undecodable(detail: "its version is out of range")
        }
        let partitionCount = Int(try reader.integer(UInt32.self))
        guard PartitionMap.isValid(partitionCount: partitionCount) else { throw PlacementError.invalidPartitionCount(partitionCount) }
        let replicas = Int(try reader.integer(UInt8.self))
        let memberCount = Int(try reader.integer(UInt16.self))
        let members = try (0..<memberCount).map { _ in try reader.member() }
        try Self.check(members: members, replicas: replicas)
        guard replicas <= memberCount, members.elementsEqual(members.sorted { $0.node < $1.node }) else {
            throw PlacementError.undecodable(detail: "its members are out of order, or too few")
        }
        let slots = try (0..<partitionCount * replicas).map { _ in
            memberCount <= 256 ? UInt16(try reader.integer(UInt8.self)) : try reader.integer(UInt16.self)
        }
        var codedTables: [CodedTable] = []
        if format == Self.formatWithCodedTables {
            for _ in 0..<(try reader.integer(UInt8.self)) {
                codedTables.append(try reader.codedTable(partitionCount: partitionCount, memberCount: memberCount))
            }
            guard !codedTables.isEmpty, zip(codedTables, codedTables.dropFirst()).allSatisfy({ $0.width < $1.width }) else {
                throw PlacementError.undecodable(detail: "its tables of erasure codes are out of order, or missing")
            }
        }
        guard reader.bytes.count == 4 else { throw PlacementError.undecodable(detail: "bytes follow its end") }
        for start in stride(from: 0, to: slots.count, by: replicas) {
            let nodes = slots[start..<start + replicas]
            guard nodes.allSatisfy({ $0 < memberCount }), Set(nodes).count == replicas else {
                throw PlacementError.undecodable(detail: "partition \(start / replicas) names no \(replicas) different members")
            }
        }
        self.init(
            version: version, partitionCount: partitionCount, replicas: replicas, members: members, slots: slots, codedTables: codedTables)
    }

    private struct Reader {
        var bytes: ArraySlice<UInt8>

        mutating func take(_ count: Int) throws -> ArraySlice<UInt8> {
            guard bytes.count >= count else { throw PlacementError.undecodable(detail: "it is cut short") }
            defer { bytes = bytes.dropFirst(count) }
            return bytes.prefix(count)
        }

        mutating func integer<Value: FixedWidthInteger>(_: Value.Type) throws -> Value {
            try take(MemoryLayout<Value>.size).reversed().reduce(0) { $0 << 8 | Value($1) }
        }

        mutating func member() throws -> LayoutMember {
            guard let node = NodeID(bytes: try take(UUIDv7.byteCount)) else { throw PlacementError.undecodable(detail: "no node's name") }
            let weight = Double(bitPattern: try integer(UInt64.self))
            let zone = try take(Int(try integer(UInt8.self)))
            guard let name = String(validating: zone, as: UTF8.self) else {
                throw PlacementError.undecodable(detail: "a zone's name is not UTF-8")
            }
            return LayoutMember(node: node, weight: weight, zone: name)
        }

        mutating func codedTable(partitionCount: Int, memberCount: Int) throws -> CodedTable {
            let width = Int(try integer(UInt8.self))
            guard CodedTable.widths.contains(width) else { throw PlacementError.undecodable(detail: "a code of \(width) fragments") }
            let slots = try (0..<partitionCount * width).map { _ in try integer(UInt16.self) }
            for start in stride(from: 0, to: slots.count, by: width) {
                let nodes = slots[start..<start + width].filter { $0 != CodedTable.nobody }
                guard nodes.allSatisfy({ $0 < memberCount }), Set(nodes).count == nodes.count else {
                    throw PlacementError.undecodable(detail: "partition \(start / width) names a member twice, or none that there is")
                }
            }
            return CodedTable(width: width, slots: slots)
        }
    }
}
