public import NIOCore

/// Computes the cells of a row from each other, by ISA-L's vector kernels.
///
/// Make one for each code and keep it: it holds tables. May be used from any number of threads at once. Computes for some hundred
/// microseconds a row, so not on an event loop.
public struct ErasureCoder: Sendable {
    public let code: ErasureCode
    private let parity: CodingTables
    private let decoders: DecoderCache

    public init(_ code: ErasureCode) {
        let generator = GeneratorMatrix(code)
        self.code = code
        parity = CodingTables(coefficients: generator.rows(code.dataCount..<code.width), sourceCount: code.dataCount)
        decoders = DecoderCache(generator)
    }

    /// The cells of a row, each of `cellSize` bytes. What the row is short of `dataCount * cellSize` bytes counts as zeros.
    ///
    /// Those of data are slices of `row` when it is full, without copying; those of parity share one allocation.
    /// - Precondition: the row has at most `dataCount * cellSize` bytes, and `cellSize` is more than 0.
    public func encode(row: ByteBuffer, cellSize: Int) -> (data: [ByteBuffer], parity: [ByteBuffer]) {
        precondition(cellSize > 0 && row.readableBytes <= code.dataCount * cellSize, "the row fits into its cells")
        let full = Self.padded(row, to: code.dataCount * cellSize)
        let computed = full.withUnsafeReadableBytes { bytes in
            parity.apply(to: (0..<code.dataCount).map { UnsafeRawBufferPointer(rebasing: bytes[$0 * cellSize..<($0 + 1) * cellSize]) })
        }
        return (Self.slices(of: full, size: cellSize), Self.slices(of: computed, size: cellSize))
    }

    /// The cells with those numbers, computed from `dataCount` of `cells`. One that is among `cells` is returned as it is.
    ///
    /// Nothing is verified: from a wrong cell come wrong cells.
    /// - Parameter cells: by number. Data cells are taken before parity cells; more than needed do no harm.
    public func reconstruct(
        _ numbers: [Int], from cells: [Int: ByteBuffer], cellSize: Int
    ) throws(ErasureError) -> [Int: ByteBuffer] {
        try check(numbers, cells, cellSize: cellSize)
        var result: [Int: ByteBuffer] = [:]
        for number in numbers { result[number] = cells[number] }
        let missing = Set(numbers).subtracting(result.keys).sorted()
        if missing.isEmpty { return result }
        guard cells.count >= code.dataCount else { throw .tooFewCells(given: cells.count, needed: code.dataCount) }
        let sources = Array(cells.keys.sorted().prefix(code.dataCount))
        let tables = decoders.tables(computing: missing, from: sources)
        let computed = Self.withReadableBytes(of: sources.compactMap { cells[$0] }) { tables.apply(to: $0) }
        for (number, cell) in zip(missing, Self.slices(of: computed, size: cellSize)) { result[number] = cell }
        return result
    }

    private func check(_ numbers: [Int], _ cells: [Int: ByteBuffer], cellSize: Int) throws(ErasureError) {
        for number in numbers + cells.keys.sorted() where !(0..<code.width).contains(number) { throw .noSuchCell(number: number) }
        for (number, cell) in cells where cell.readableBytes != cellSize || cellSize <= 0 {
            throw .wrongCellSize(number: number, byteCount: cell.readableBytes, expected: cellSize)
        }
    }

    private static func padded(_ row: ByteBuffer, to byteCount: Int) -> ByteBuffer {
        if row.readableBytes == byteCount { return row }
        var full = ByteBufferAllocator().buffer(capacity: byteCount)
        full.writeImmutableBuffer(row)
        full.writeRepeatingByte(0, count: byteCount - row.readableBytes)
        return full
    }

    private static func slices(of buffer: ByteBuffer, size: Int) -> [ByteBuffer] {
        var rest = buffer
        var slices: [ByteBuffer] = []
        while rest.readableBytes > 0, let slice = rest.readSlice(length: size) { slices.append(slice) }
        return slices
    }

    /// Calls `body` while the readable bytes of all buffers stay where they are.
    private static func withReadableBytes<Value>(
        of buffers: [ByteBuffer], _ found: [UnsafeRawBufferPointer] = [], _ body: ([UnsafeRawBufferPointer]) -> Value
    ) -> Value {
        guard found.count < buffers.count else { return body(found) }
        return buffers[found.count].withUnsafeReadableBytes { withReadableBytes(of: buffers, found + [$0], body) }
    }
}
