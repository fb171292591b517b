internal import CISAL
public import NIOCore

/// CRC-32C (Castagnoli, RFC 3720 appendix B.4), by ISA-L's vector kernels.
public struct CRC32C: Hashable, Sendable {
    /// The checksum of everything fed in so far. That of nothing is 0.
    public private(set) var value: UInt32

    public init(continuing value: UInt32 = 0) { self.value = value }

    public mutating func update(_ bytes: UnsafeRawBufferPointer) {
        var rest = bytes
        // ISA-L takes its length as a 32-bit signed integer.
        while rest.count > 0 {
            let count = min(rest.count, 1 << 30)
            let start = UnsafeMutablePointer(mutating: rest.baseAddress!.assumingMemoryBound(to: UInt8.self))
            value = ~crc32_iscsi(start, Int32(count), ~value)
            rest = UnsafeRawBufferPointer(rebasing: rest[count...])
        }
    }

    public mutating func update(_ buffer: ByteBuffer) {
        buffer.withUnsafeReadableBytes { update($0) }
    }

    public static func checksum(_ bytes: UnsafeRawBufferPointer, continuing value: UInt32 = 0) -> UInt32 {
        var crc = CRC32C(continuing: value)
        crc.update(bytes)
        return crc.value
    }

    public static func checksum(_ bytes: [UInt8]) -> UInt32 { bytes.withUnsafeBytes { checksum($0) } }
}
