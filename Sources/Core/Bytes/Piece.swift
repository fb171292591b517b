public import NIOCore

/// A run of whole 64 KiB blocks of a fragment (the fragment's last block may be short), each with its checksum.
///
/// Pieces are what travels: from the chunker through the network to the segment, and back. The checksums are made once,
/// where the bytes enter, and checked wherever they change hands, so that neither a network nor a disk can alter a byte unseen.
public struct Piece: Sendable, Equatable {
    /// 64 KiB: the unit of checksumming, and the alignment of every read.
    public static let blockSize = 64 * 1024
    /// The most that one piece holds, and so the largest message between servers.
    public static let maximumSize = 1024 * 1024

    public let bytes: ByteBuffer
    /// CRC-32C of every block of `bytes`, in order.
    public let checksums: [UInt32]
    /// Held as long as the bytes are.
    private let lease: MemoryBudget.Lease?

    /// Checksums `bytes`, which must begin at a block of the fragment.
    public init(checksumming bytes: ByteBuffer, lease: MemoryBudget.Lease? = nil) {
        self.bytes = bytes
        self.lease = lease
        checksums = Self.checksums(of: bytes)
    }

    /// Takes `checksums` on trust: call ``verify()`` before the bytes are used.
    public init(bytes: ByteBuffer, checksums: [UInt32]) { self.init(bytes: bytes, checksums: checksums, lease: nil) }

    private init(bytes: ByteBuffer, checksums: [UInt32], lease: MemoryBudget.Lease?) {
        self.bytes = bytes
        self.checksums = checksums
        self.lease = lease
    }

    /// What is left without the first `byteCount` bytes, a number of whole blocks.
    public func dropping(_ byteCount: Int) -> Piece {
        precondition(byteCount % Self.blockSize == 0 && byteCount <= bytes.readableBytes, "whole blocks")
        guard byteCount > 0 else { return self }
        var rest = bytes
        rest.moveReaderIndex(forwardBy: byteCount)
        return Piece(bytes: rest, checksums: Array(checksums[(byteCount / Self.blockSize)...]), lease: lease)
    }

    public static func == (one: Piece, other: Piece) -> Bool { one.bytes == other.bytes && one.checksums == other.checksums }

    /// Whether every block matches its checksum.
    public func verify() -> Bool { Self.checksums(of: bytes) == checksums }

    public static func blockCount(forByteCount count: Int) -> Int { (count + blockSize - 1) / blockSize }

    public static func checksums(of bytes: ByteBuffer) -> [UInt32] {
        bytes.withUnsafeReadableBytes { checksums(of: $0) }
    }

    public static func checksums(of bytes: UnsafeRawBufferPointer) -> [UInt32] {
        let count = blockCount(forByteCount: bytes.count)
        return [UInt32](unsafeUninitializedCapacity: count) { table, initialized in
            for block in 0..<count {
                let start = block * blockSize
                let end = min(start + blockSize, bytes.count)
                table[block] = CRC32C.checksum(UnsafeRawBufferPointer(rebasing: bytes[start..<end]))
            }
            initialized = count
        }
    }
}
