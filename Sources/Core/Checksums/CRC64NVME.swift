public import NIOCore

/// CRC-64/NVME (NVM Express command set specification 5.2.1.3.4), eight bytes a step through tables.
public struct CRC64NVME: Hashable, Sendable {
    /// Bit-reversed, as the checksum is computed lowest bit first.
    static let polynomial: UInt64 = 0x9A6C_9329_AC4B_C9B5

    /// `tables[n][b]`: what the byte `b` comes to when n more bytes follow it. In one array, 256 entries each.
    private static let tables: [UInt64] = {
        var tables = [UInt64](repeating: 0, count: 8 * 256)
        for byte in 0..<256 {
            var value = UInt64(byte)
            for _ in 0..<8 { value = value & 1 == 1 ? value >> 1 ^ polynomial : value >> 1 }
            tables[byte] = value
        }
        for index in 256..<tables.count {
            let before = tables[index - 256]
            tables[index] = before >> 8 ^ tables[Int(before & 0xFF)]
        }
        return tables
    }()

    /// The checksum of everything fed in so far. That of nothing is 0.
    public private(set) var value: UInt64

    public init(continuing value: UInt64 = 0) { self.value = value }

    public mutating func update(_ bytes: UnsafeRawBufferPointer) {
        var crc = ~value
        Self.tables.withUnsafeBufferPointer { tables in
            var position = 0
            while position + 8 <= bytes.count {
                crc ^= UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: position, as: UInt64.self))
                var next: UInt64 = 0
                for step in 0..<8 { next ^= tables[(7 - step) * 256 + Int(truncatingIfNeeded: crc >> (8 * UInt64(step)) & 0xFF)] }
                crc = next
                position += 8
            }
            while position < bytes.count {
                crc = crc >> 8 ^ tables[Int(truncatingIfNeeded: (crc ^ UInt64(bytes[position])) & 0xFF)]
                position += 1
            }
        }
        value = ~crc
    }

    public mutating func update(_ buffer: ByteBuffer) { buffer.withUnsafeReadableBytes { update($0) } }
}
