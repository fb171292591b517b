internal import Core
internal import NIOCore

/// Checks the shape of a fragment that arrives in pieces. The checksums are checked by whoever has the time for it.
struct PieceIntake {
    private let id: FragmentID
    private(set) var byteCount = 0
    private(set) var checksums: [UInt32] = []

    init(id: FragmentID) { self.id = id }

    /// - Throws: ``ChunkStoreError/invalid(detail:)``.
    mutating func take(_ piece: Piece) throws {
        let count = piece.bytes.readableBytes
        guard byteCount % Piece.blockSize == 0 || count == 0 else {
            throw ChunkStoreError.invalid(detail: "\(id): a piece before the last one ends within a block")
        }
        guard count <= Piece.maximumSize, byteCount + count <= ChunkStore.Limits.maximumFragmentSize else {
            throw ChunkStoreError.invalid(detail: "\(id): more than \(ChunkStore.Limits.maximumFragmentSize) bytes, or a piece of \(count)")
        }
        guard piece.checksums.count == Piece.blockCount(forByteCount: count) else { throw ChunkStoreError.damagedInTransit(id) }
        byteCount += count
        checksums.append(contentsOf: piece.checksums)
    }
}
