internal import CISAL
public import NIOCore

/// CRC-32 of IEEE 802.3, as gzip and zip have it, by ISA-L's vector kernels.
public struct CRC32: Hashable, Sendable {
    /// The checksum of everything fed in so far. That of nothing is 0.
    public private(set) var value: UInt32

    public init(continuing value: UInt32 = 0) { self.value = value }

    public mutating func update(_ bytes: UnsafeRawBufferPointer) {
        guard let start = bytes.baseAddress else { return }
        value = crc32_gzip_refl(value, start.assumingMemoryBound(to: UInt8.self), UInt64(bytes.count))
    }

    public mutating func update(_ buffer: ByteBuffer) { buffer.withUnsafeReadableBytes { update($0) } }
}
