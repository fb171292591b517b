import Core
import NIOCore
import ObjectStore
import Testing

@Suite("The piece assembler")
struct PieceAssemblerTests {
    private static let block = Piece.blockSize

    private func pieces(of bytes: [UInt8], cutAt sizes: [Int], chunkSize: Int, pieceSize: Int) -> [PieceAssembler.Output] {
        var assembler = PieceAssembler(chunkSize: chunkSize, pieceSize: pieceSize)
        var outputs: [PieceAssembler.Output] = []
        var position = 0
        for size in sizes + [bytes.count] where position < bytes.count {
            let end = min(bytes.count, position + size)
            var buffer = ByteBuffer(bytes: bytes[position..<end])
            while let output = assembler.next(from: &buffer) { outputs.append(output) }
            #expect(buffer.readableBytes == 0)
            position = end
        }
        if let last = assembler.finish() { outputs.append(last) }
        return outputs
    }

    @Test(
        "gives every byte back in order, in full pieces that end where chunks end, however the input is cut",
        arguments: 1...40 as ClosedRange<UInt64>)
    func preservesBytes(seed: UInt64) {
        let random = SeededRandom(seed: seed)
        let pieceSize = Self.block * random.next(in: 1..<4)
        let chunkSize = Self.block * random.next(in: 1..<8)
        let bytes = (0..<random.next(in: 0..<12 * Self.block)).map { _ in UInt8(truncatingIfNeeded: random.next()) }
        let sizes = (0..<200).map { _ in random.next(in: 1..<3 * Self.block) }
        let outputs = pieces(of: bytes, cutAt: sizes, chunkSize: chunkSize, pieceSize: pieceSize)
        #expect(outputs.flatMap { Array($0.bytes.readableBytesView) } == bytes, "seed \(seed)")

        var offset = 0
        for (number, output) in outputs.enumerated() {
            let count = output.bytes.readableBytes
            let isLast = number == outputs.count - 1
            let full = min(pieceSize, chunkSize - offset)
            #expect(isLast ? count <= full && count > 0 : count == full, "seed \(seed), piece \(number)")
            offset += count
            #expect(output.endsChunk == (offset == chunkSize), "seed \(seed), piece \(number)")
            if offset == chunkSize { offset = 0 }
        }
    }

    @Test("makes nothing of an empty body")
    func emptyBody() {
        #expect(pieces(of: [], cutAt: [], chunkSize: Self.block, pieceSize: Self.block).isEmpty)
    }
}
