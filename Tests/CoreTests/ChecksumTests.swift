import Core
import NIOCore
import Testing

@Suite struct ChecksumTests {
    private static let known: [([UInt8], UInt32)] = [
        ([UInt8](repeating: 0, count: 32), 0x8A91_36AA), ([UInt8](repeating: 0xFF, count: 32), 0x62A8_AB43),
        (Array(0..<32), 0x46DD_794E), ((0..<32).reversed(), 0x113F_DB5C), (Array("123456789".utf8), 0xE306_9283), ([], 0),
    ]

    @Test("CRC-32C gives the values of RFC 3720, appendix B.4", arguments: known)
    func crc32c(bytes: [UInt8], expected: UInt32) {
        #expect(CRC32C.checksum(bytes) == expected)
    }

    @Test("a checksum does not depend on how the bytes are divided")
    func divided() {
        let random = SeededRandom(seed: 1)
        let bytes = (0..<100_000).map { _ in UInt8(truncatingIfNeeded: random.next()) }
        for _ in 0..<20 {
            let cut = random.next(in: 0..<bytes.count)
            let first = CRC32C.checksum(Array(bytes[..<cut]))
            #expect(Array(bytes[cut...]).withUnsafeBytes { CRC32C.checksum($0, continuing: first) } == CRC32C.checksum(bytes))
            var crc = CRC32C()
            crc.update(ByteBuffer(bytes: bytes[..<cut]))
            crc.update(ByteBuffer(bytes: bytes[cut...]))
            #expect(crc.value == CRC32C.checksum(bytes))
        }
    }

    @Test("every flipped bit changes the checksum")
    func flippedBits() {
        var bytes = [UInt8](repeating: 0x5A, count: 64)
        let intact = CRC32C.checksum(bytes)
        for bit in 0..<bytes.count * 8 {
            bytes[bit / 8] ^= 1 << UInt8(bit % 8)
            #expect(CRC32C.checksum(bytes) != intact)
            bytes[bit / 8] ^= 1 << UInt8(bit % 8)
        }
    }

    @Test("the digest of an object is its MD5 and CRC-32C, however it comes in pieces")
    func contentDigest() {
        var empty = ContentDigest()
        #expect(hexadecimal(empty.md5Bytes()) == "d41d8cd98f00b204e9800998ecf8427e")
        #expect(empty.crc32cValue() == 0)
        empty.update(ByteBuffer(string: "12345"))
        empty.update(ByteBuffer())
        empty.update(ByteBuffer(string: "6789"))
        #expect(hexadecimal(empty.md5Bytes()) == "25f9e794323b453885f5181f1b624d0b")
        #expect(empty.crc32cValue() == 0xE306_9283)
        #expect(empty.byteCount == 9)
    }

    @Test("hexadecimal has two lower-case digits a byte")
    func hexadecimalDigits() {
        #expect(hexadecimal([0x00, 0x0F, 0xA0, 0xFF]) == "000fa0ff")
        #expect(hexadecimal([]) == "")
    }
}

@Suite struct PieceTests {
    private func bytes(_ count: Int) -> [UInt8] {
        let random = SeededRandom(seed: UInt64(count))
        return (0..<count).map { _ in UInt8(truncatingIfNeeded: random.next()) }
    }

    @Test(
        "a piece has a checksum for every block, the short last one too",
        arguments: [
            (0, 0), (1, 1), (65_535, 1), (65_536, 1), (65_537, 2), (131_072, 2), (200_000, 4),
        ])
    func blocks(byteCount: Int, blockCount: Int) {
        let bytes = bytes(byteCount)
        let piece = Piece(checksumming: ByteBuffer(bytes: bytes))
        #expect(piece.checksums.count == blockCount)
        #expect(Piece.blockCount(forByteCount: byteCount) == blockCount)
        for block in 0..<blockCount {
            let end = min(byteCount, (block + 1) * Piece.blockSize)
            #expect(piece.checksums[block] == CRC32C.checksum(Array(bytes[block * Piece.blockSize..<end])))
        }
        #expect(piece.verify())
    }

    @Test("a piece checksums what is readable of its buffer, and nothing before or after it")
    func readableBytes() {
        let bytes = bytes(1000)
        var buffer = ByteBuffer(bytes: [1, 2, 3] + bytes)
        buffer.moveReaderIndex(forwardBy: 3)
        #expect(Piece(checksumming: buffer).checksums == [CRC32C.checksum(bytes)])
    }

    @Test("a flipped bit, a lost byte and a lost checksum are all found")
    func damage() {
        let bytes = bytes(70_000)
        let intact = Piece(checksumming: ByteBuffer(bytes: bytes))
        for position in [0, 65_535, 65_536, 69_999] {
            var damaged = bytes
            damaged[position] ^= 0x10
            #expect(!Piece(bytes: ByteBuffer(bytes: damaged), checksums: intact.checksums).verify())
        }
        #expect(!Piece(bytes: ByteBuffer(bytes: bytes.dropLast()), checksums: intact.checksums).verify())
        #expect(!Piece(bytes: ByteBuffer(bytes: bytes), checksums: [intact.checksums[0]]).verify())
        #expect(!Piece(bytes: ByteBuffer(bytes: bytes), checksums: intact.checksums + [0]).verify())
        #expect(Piece(bytes: ByteBuffer(bytes: bytes), checksums: intact.checksums).verify())
    }
}
