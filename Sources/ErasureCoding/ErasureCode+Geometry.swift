internal import Core

/// Which byte of a chunk is in which fragment, and where. docs/formats/erasure.md is the reference: fragments on disk depend on it.
///
/// A chunk is cut into rows of ``rowSize`` bytes, the last may be shorter. A row is cut into `dataCount` cells of equal size; cell `j`
/// belongs to fragment `j`. A fragment is its cells, row after row, so all fragments of a chunk are equally long. Sizes and offsets
/// are in bytes.
extension ErasureCode {
    /// Of a full row: whole blocks, so that every row begins at a block of the fragment.
    public var cellSize: Int { Piece.blockSize * min(4, 16 / dataCount) }

    /// Of a full row: at most one piece, so that what arrives piece by piece can be encoded as it comes.
    public var rowSize: Int { dataCount * cellSize }

    /// The cells of a short row are a multiple of this, for the vector kernels.
    public static let cellAlignment = 64

    public func rowCount(chunkByteCount: Int) -> Int { (chunkByteCount + rowSize - 1) / rowSize }

    /// - Parameter offset: in the chunk.
    public func row(containing offset: Int) -> Int { offset / rowSize }

    /// The bytes of the chunk that are in the row.
    /// - Precondition: the chunk has the row; so everywhere below.
    public func chunkRange(ofRow row: Int, chunkByteCount: Int) -> Range<Int> {
        precondition(row >= 0 && row < rowCount(chunkByteCount: chunkByteCount), "the chunk has no such row")
        return row * rowSize..<min(chunkByteCount, (row + 1) * rowSize)
    }

    /// `ceil(L / dataCount)` rounded up to a multiple of ``cellAlignment`` for a row of `L` bytes. Cells beyond these bytes are zeros.
    public func cellSize(ofRow row: Int, chunkByteCount: Int) -> Int {
        let byteCount = chunkRange(ofRow: row, chunkByteCount: chunkByteCount).count
        let share = (byteCount + dataCount - 1) / dataCount
        return (share + Self.cellAlignment - 1) / Self.cellAlignment * Self.cellAlignment
    }

    /// The bytes of each fragment that hold its cell of the row.
    public func fragmentRange(ofRow row: Int, chunkByteCount: Int) -> Range<Int> {
        row * cellSize..<row * cellSize + cellSize(ofRow: row, chunkByteCount: chunkByteCount)
    }

    /// The length of every fragment of the chunk.
    public func fragmentByteCount(chunkByteCount: Int) -> Int {
        let rowCount = rowCount(chunkByteCount: chunkByteCount)
        return rowCount == 0 ? 0 : fragmentRange(ofRow: rowCount - 1, chunkByteCount: chunkByteCount).upperBound
    }
}

/// Bytes of one data fragment that are bytes of the chunk, and no padding.
public struct CellRange: Hashable, Sendable {
    /// The fragment.
    public let number: Int
    public let row: Int
    /// Not empty.
    public let rangeInFragment: Range<Int>

    public init(number: Int, row: Int, rangeInFragment: Range<Int>) {
        self.number = number
        self.row = row
        self.rangeInFragment = rangeInFragment
    }
}

extension ErasureCode {
    /// Where the bytes `range` of the chunk are, in their order. Empty for an empty range.
    /// - Precondition: the range lies within the chunk and within one row.
    public func cells(covering range: Range<Int>, chunkByteCount: Int) -> [CellRange] {
        if range.isEmpty { return [] }
        let row = row(containing: range.lowerBound)
        let rowRange = chunkRange(ofRow: row, chunkByteCount: chunkByteCount)
        precondition(rowRange.contains(range.upperBound - 1), "the range lies within one row of the chunk")
        let cell = fragmentRange(ofRow: row, chunkByteCount: chunkByteCount)
        let start = range.lowerBound - rowRange.lowerBound
        let end = range.upperBound - rowRange.lowerBound
        return (start / cell.count...(end - 1) / cell.count).map { number in
            let first = max(start - number * cell.count, 0)
            let last = min(end - number * cell.count, cell.count)
            return CellRange(number: number, row: row, rangeInFragment: cell.lowerBound + first..<cell.lowerBound + last)
        }
    }
}
