/// Why cells cannot be computed from those given. Trying again with the same ones does not help.
public enum ErasureError: Error, Hashable, Sendable {
    /// As many cells are needed as the code has of data.
    case tooFewCells(given: Int, needed: Int)
    /// All cells of a row are equally long.
    case wrongCellSize(number: Int, byteCount: Int, expected: Int)
    /// The code has no cell of that number.
    case noSuchCell(number: Int)
}
