internal import Core
internal import NIOCore

/// Checks the shape of a fragment that arrives in pieces. The checksums are checked by whoever has the time for it.
struct PieceIntake {
    private let id: FragmentID
    private let maximumByteCount: Int
    private(set) var byteCount = 0
    private(set) var checksums: [UInt32] = []

    /// - Parameter maximumByteCount: of the fragment.
    init(id: FragmentID, maximumByteCount: Int) {
        self.id = id
        self.maximumByteCount = maximumByteCount
    }

    /// - Throws: ``ChunkStoreError/invalid(detail:)``.
    mutating func take(_ piece: Piece) throws {
        let count = piece.bytes.readableBytes
        guard byteCount % Piece.blockSize == 0 || count == 0 else {
            throw ChunkStoreError.invalid(detail: "\(id): a piece before the last one ends within a block")
        }
        guard count <= Piece.maximumSize, byteCount + count <= maximumByteCount else {
            throw ChunkStoreError.invalid(detail: "\(id): more than \(maximumByteCount) bytes, or a piece of \(count)")
        }
        guard piece.checksums.count == Piece.blockCount(forByteCount: count) else { throw ChunkStoreError.damagedInTransit(id) }
        byteCount += count
        checksums.append(contentsOf: piece.checksums)
    }
}
