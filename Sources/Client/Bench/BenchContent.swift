internal import Core
package import NIOCore

/// Bytes that look like nothing in particular, for a file of a load test: a block of a megabyte, over and over. Nothing is computed while it is sent.
package struct BenchContent: UploadContent {
    private static let blockSize = 1 << 20

    package let byteCount: Int64
    /// CRC-32C of all of it.
    package let crc32c: UInt32
    private let block: ByteBuffer

    /// - Parameter seed: equal seeds give equal bytes.
    package init(byteCount: Int64, seed: UInt64) {
        precondition(byteCount >= 0)
        self.byteCount = byteCount
        let random = SeededRandom(seed: seed)
        let size = Int(Swift.min(byteCount, Int64(Self.blockSize)))
        var block = ByteBuffer()
        block.reserveCapacity(size + 8)
        while block.readableBytes < size { block.writeInteger(random.next()) }
        self.block = block.getSlice(at: 0, length: size) ?? ByteBuffer()
        var crc = CRC32C()
        var left = byteCount
        while left > 0 {
            let part = Self.part(of: self.block, left: left)
            crc.update(part)
            left -= Int64(part.readableBytes)
        }
        crc32c = crc.value
    }

    private static func part(of block: ByteBuffer, left: Int64) -> ByteBuffer {
        left >= Int64(block.readableBytes) ? block : block.getSlice(at: 0, length: Int(left)) ?? block
    }

    package struct AsyncIterator: AsyncIteratorProtocol {
        fileprivate let block: ByteBuffer
        fileprivate var left: Int64

        package mutating func next() async -> ByteBuffer? {
            guard left > 0 else { return nil }
            let part = BenchContent.part(of: block, left: left)
            left -= Int64(part.readableBytes)
            return part
        }
    }

    package func makeAsyncIterator() -> AsyncIterator { AsyncIterator(block: block, left: byteCount) }
}
