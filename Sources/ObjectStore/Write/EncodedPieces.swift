internal import Core

/// What the nodes of a chunk get of a stretch of its bytes: all the same, or each the cell of its fragment.
struct EncodedPieces: Sendable {
    private let pieces: [Piece]

    /// The same for every node.
    init(copies piece: Piece) { pieces = [piece] }

    /// - Parameter cells: one for each fragment, by number.
    init(cells: [Piece]) { pieces = cells }

    subscript(fragmentNumber: UInt8) -> Piece { pieces.count == 1 ? pieces[0] : pieces[Int(fragmentNumber)] }
}
