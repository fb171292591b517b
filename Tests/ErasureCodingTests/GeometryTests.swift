import Core
import ErasureCoding
import Testing

@Suite struct ErasureCodeTests {
    @Test("a code has 2 to 16 of data and 1 to 4 of parity")
    func limits() {
        #expect(ErasureCode(dataCount: 1, parityCount: 1) == nil)
        #expect(ErasureCode(dataCount: 17, parityCount: 1) == nil)
        #expect(ErasureCode(dataCount: 4, parityCount: 0) == nil)
        #expect(ErasureCode(dataCount: 4, parityCount: 5) == nil)
        #expect(code(2, 1).width == 3)
        #expect(code(16, 4).width == 20)
    }

    @Test("the text of a code is read back, and nothing else is")
    func text() {
        #expect(code(4, 2).description == "ec-4-2")
        for code in someCodes { #expect(ErasureCode(code.description) == code) }
        for text in ["", "ec", "ec-4", "ec-4-", "ec-4-2-", "ec-04-2", "ec-+4-2", "EC-4-2", "rs-4-2", "ec-1-1", "ec-4-5", " ec-4-2"] {
            #expect(ErasureCode(text) == nil, "\(text)")
        }
    }
}

@Suite struct GeometryTests {
    /// Lengths around everything that the geometry rounds to.
    private func byteCounts(_ code: ErasureCode) -> [Int] {
        let random = SeededRandom(seed: UInt64(code.width))
        let edges = [0, 1, 2, 3].flatMap { rows in
            [0, 64, 64 * code.dataCount, code.cellSize, code.rowSize / 2].flatMap { more in
                (-2...2).map { rows * code.rowSize + more + $0 }
            }
        }
        return Set(edges + Array(1...200) + (0..<200).map { _ in random.next(in: 1..<3 * code.rowSize) }).filter { $0 > 0 }.sorted()
    }

    @Test("a row is at most one piece, and a cell of a full row whole blocks", arguments: ErasureCode.dataCounts)
    func fullRows(dataCount: Int) {
        let code = code(dataCount, 1)
        #expect(code.rowSize == dataCount * code.cellSize)
        #expect(code.rowSize <= Piece.maximumSize)
        #expect(code.cellSize.isMultiple(of: Piece.blockSize) && code.cellSize > 0)
        #expect(code.cellSize(ofRow: 0, chunkByteCount: code.rowSize) == code.cellSize)
    }

    @Test("the sizes of cells are what fragments on disk were written with")
    func knownSizes() {
        let sizes = ErasureCode.dataCounts.map { code($0, 1).cellSize / 1024 }
        #expect(sizes == [256, 256, 256, 192, 128, 128, 128, 64, 64, 64, 64, 64, 64, 64, 64])
        let usual = code(4, 2)
        let fragments = [0, 1, 256, 257, 1_000_000, 1_048_576, 1_048_577, 8_388_608, 10_000_000]
            .map { usual.fragmentByteCount(chunkByteCount: $0) }
        #expect(fragments == [0, 64, 64, 128, 250_048, 262_144, 262_208, 2_097_152, 2_500_032])
    }

    @Test("rows cover the chunk, and their cells the fragment", arguments: someCodes)
    func rows(code: ErasureCode) {
        for byteCount in byteCounts(code) {
            var chunkEnd = 0
            var fragmentEnd = 0
            for row in 0..<code.rowCount(chunkByteCount: byteCount) {
                let chunkRange = code.chunkRange(ofRow: row, chunkByteCount: byteCount)
                let fragmentRange = code.fragmentRange(ofRow: row, chunkByteCount: byteCount)
                let cellSize = code.cellSize(ofRow: row, chunkByteCount: byteCount)
                #expect(chunkRange.lowerBound == chunkEnd && !chunkRange.isEmpty, "\(code), \(byteCount) bytes")
                #expect(fragmentRange.lowerBound == fragmentEnd && fragmentRange.count == cellSize, "\(code), \(byteCount) bytes")
                // A row begins at a block of the fragment, its cells hold it, and no cell could be a step shorter.
                #expect(fragmentRange.lowerBound.isMultiple(of: Piece.blockSize))
                #expect(cellSize.isMultiple(of: 64) && cellSize <= code.cellSize)
                #expect(cellSize * code.dataCount >= chunkRange.count && (cellSize - 64) * code.dataCount < chunkRange.count)
                #expect(code.row(containing: chunkRange.lowerBound) == row && code.row(containing: chunkRange.upperBound - 1) == row)
                chunkEnd = chunkRange.upperBound
                fragmentEnd = fragmentRange.upperBound
            }
            #expect(chunkEnd == byteCount)
            #expect(fragmentEnd == code.fragmentByteCount(chunkByteCount: byteCount))
        }
    }

    @Test("an empty chunk has no rows and empty fragments")
    func empty() {
        #expect(code(4, 2).rowCount(chunkByteCount: 0) == 0)
        #expect(code(4, 2).fragmentByteCount(chunkByteCount: 0) == 0)
        #expect(code(4, 2).cells(covering: 0..<0, chunkByteCount: 0).isEmpty)
    }

    @Test("every byte of a chunk is in one place, in order", arguments: [code(2, 1), code(3, 2), code(4, 2), code(5, 3), code(16, 4)])
    func places(code: ErasureCode) {
        for byteCount in [1, 63, 64, 65, 64 * code.dataCount + 1, code.rowSize, code.rowSize + 1, 2 * code.rowSize + 777] {
            var taken = [Int](repeating: 0, count: code.dataCount)
            for row in 0..<code.rowCount(chunkByteCount: byteCount) {
                let rowRange = code.chunkRange(ofRow: row, chunkByteCount: byteCount)
                let cells = code.cells(covering: rowRange, chunkByteCount: byteCount)
                #expect(cells.reduce(0) { $0 + $1.rangeInFragment.count } == rowRange.count, "\(code), \(byteCount) bytes, row \(row)")
                #expect(cells.map(\.number) == Array(0..<cells.count))
                for cell in cells {
                    // Only the last cell of a row that has bytes may have fewer than the row's cells are long.
                    let whole = code.fragmentRange(ofRow: row, chunkByteCount: byteCount)
                    #expect(cell.row == row && cell.rangeInFragment.lowerBound == whole.lowerBound)
                    #expect(cell.rangeInFragment.upperBound == whole.upperBound || cell == cells.last)
                    taken[cell.number] += cell.rangeInFragment.count
                }
            }
            #expect(taken.reduce(0, +) == byteCount)
        }
    }

    @Test("a part of a row is where it is in the whole row", arguments: someCodes)
    func parts(code: ErasureCode) {
        let seed = UInt64.random(in: 0...UInt64.max)
        let random = SeededRandom(seed: seed)
        for _ in 0..<300 {
            let byteCount = random.next(in: 1..<3 * code.rowSize)
            let row = random.next(in: 0..<code.rowCount(chunkByteCount: byteCount))
            let rowRange = code.chunkRange(ofRow: row, chunkByteCount: byteCount)
            let start = random.next(in: rowRange)
            let end = random.next(in: start..<rowRange.upperBound) + 1
            let cells = code.cells(covering: start..<end, chunkByteCount: byteCount)
            #expect(cells.allSatisfy { !$0.rangeInFragment.isEmpty && $0.row == row })
            // Counted back to where in the chunk each of them is, they follow each other without a gap.
            let fragment = code.fragmentRange(ofRow: row, chunkByteCount: byteCount)
            var next = start
            for cell in cells {
                #expect(
                    rowRange.lowerBound + cell.number * fragment.count + cell.rangeInFragment.lowerBound - fragment.lowerBound == next,
                    "\(code), \(byteCount) bytes, \(start)..<\(end), seed \(seed)")
                #expect(fragment.contains(cell.rangeInFragment.lowerBound) && fragment.upperBound >= cell.rangeInFragment.upperBound)
                next += cell.rangeInFragment.count
            }
            #expect(next == end, "\(code), \(byteCount) bytes, \(start)..<\(end), seed \(seed)")
        }
    }
}
