internal import Core
internal import ErasureCoding
internal import NIOCore

/// Cuts a body into stretches that never cross the border of a chunk, and makes of each what its nodes get.
struct PieceEncoder: Sendable {
    private let coder: ErasureCoder?
    private let chunkSize: Int
    private var assembler: PieceAssembler

    /// - Parameter pieceSize: of whole copies; rows of an erasure code have their own.
    init(_ storageClass: StorageClass, chunkSize: Int, pieceSize: Int, coders: ErasureCoders) {
        self.chunkSize = chunkSize
        switch storageClass {
        case .replicated, .copies:
            coder = nil
            assembler = PieceAssembler(chunkSize: chunkSize, pieceSize: pieceSize)
        case .coded(let code):
            coder = coders.coder(for: code)
            assembler = PieceAssembler(chunkSize: chunkSize, pieceSize: code.rowSize)
        }
    }

    mutating func next(from buffer: inout ByteBuffer) -> PieceAssembler.Output? { assembler.next(from: &buffer) }
    mutating func finish() -> PieceAssembler.Output? { assembler.finish() }

    /// Memory that the pieces made of so many bytes take.
    func memory(for byteCount: Int) -> Int {
        guard let code = coder?.code else { return byteCount }
        return byteCount / code.dataCount * code.width
    }

    /// - Parameter lease: of the memory that the pieces take; they hold it.
    func encode(_ bytes: ByteBuffer, lease: MemoryBudget.Lease) -> EncodedPieces {
        guard let coder else { return EncodedPieces(copies: Piece(checksumming: bytes, lease: lease)) }
        // A row on its own is cut like the last row of a chunk.
        let cellSize = coder.code.cellSize(ofRow: 0, chunkByteCount: bytes.readableBytes)
        let cells = coder.encode(row: bytes, cellSize: cellSize)
        return EncodedPieces(cells: (cells.data + cells.parity).map { Piece(checksumming: $0, lease: lease) })
    }
}
