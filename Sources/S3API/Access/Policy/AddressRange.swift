/// Addresses with a common prefix, of IPv4 or IPv6.
struct AddressRange: Hashable, Sendable {
    private let bytes: [UInt8]
    let prefixLength: Int

    var isVersion4: Bool { bytes.count == 4 }

    /// `192.0.2.0/24`, `2001:db8::/32`, or one address.
    init?(_ text: String) {
        let sides = text.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
        guard let bytes = Self.bytes(of: String(sides[0])) else { return nil }
        self.bytes = bytes
        guard sides.count == 2 else {
            prefixLength = bytes.count * 8
            return
        }
        guard let length = Int(sides[1]), (0...bytes.count * 8).contains(length) else { return nil }
        prefixLength = length
    }

    func contains(_ address: String) -> Bool {
        guard let address = Self.bytes(of: address), address.count == bytes.count else { return false }
        for index in bytes.indices {
            let bits = min(max(prefixLength - index * 8, 0), 8)
            let mask = UInt8(truncatingIfNeeded: 0xff00 >> bits)
            guard bytes[index] & mask == address[index] & mask else { return false }
        }
        return true
    }

    /// Of RFC 1918.
    var isPrivate: Bool {
        ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"].compactMap { AddressRange($0) }.contains { range in
            isVersion4 && range.prefixLength <= prefixLength && range.contains(bytes.map { String($0) }.joined(separator: "."))
        }
    }

    /// 4 bytes, or 16. An IPv4 client of a socket that listens to both kinds is one of IPv4.
    private static func bytes(of address: String) -> [UInt8]? {
        if let bytes = version4(address) { return bytes }
        guard let bytes = version6(address) else { return nil }
        let isMapped = bytes[..<10].allSatisfy { $0 == 0 } && bytes[10] == 0xff && bytes[11] == 0xff
        return isMapped ? Array(bytes[12...]) : bytes
    }

    private static func version4(_ text: some StringProtocol) -> [UInt8]? {
        let parts = text.split(separator: ".", omittingEmptySubsequences: false)
        let bytes = parts.compactMap { part in part.utf8.allSatisfy { (0x30...0x39).contains($0) } ? UInt8(part) : nil }
        return parts.count == 4 && bytes.count == 4 ? bytes : nil
    }

    private static func version6(_ text: String) -> [UInt8]? {
        let halves = text.split(separator: "::", omittingEmptySubsequences: false)
        guard (1...2).contains(halves.count), let head = groups(halves[0]) else { return nil }
        guard halves.count == 2 else { return head.count == 16 ? head : nil }
        guard let tail = groups(halves[1]), head.count + tail.count <= 14 else { return nil }
        return head + [UInt8](repeating: 0, count: 16 - head.count - tail.count) + tail
    }

    /// Groups of 16 bits between colons; the last may be written as IPv4 has it.
    private static func groups(_ text: Substring) -> [UInt8]? {
        guard !text.isEmpty else { return [] }
        var bytes: [UInt8] = []
        let parts = text.split(separator: ":", omittingEmptySubsequences: false)
        for (index, part) in parts.enumerated() {
            if index == parts.count - 1, let last = version4(part) {
                bytes += last
            } else if (1...4).contains(part.utf8.count), let group = UInt16(part, radix: 16), !part.hasPrefix("+") {
                bytes += [UInt8(group >> 8), UInt8(group & 0xff)]
            } else {
                return nil
            }
        }
        return bytes
    }
}
