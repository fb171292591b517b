import CISAL
import ErasureCoding
import NIOCore

/// `ec_encode_data` with tables made beforehand and results that are always the same memory: the most that a wrapper could reach.
final class BareKernel {
    private let sourceCount: Int
    private let resultCount: Int
    private var tables: [UInt8]
    private let results: UnsafeMutablePointer<UInt8>
    private var outputs: [UnsafeMutablePointer<UInt8>?]

    convenience init(encoding code: ErasureCode) {
        let matrix = Self.matrix(code)
        self.init(code, coefficients: Array(matrix[(code.dataCount * code.dataCount)...]))
    }

    /// Computes the first `lost.count` data cells from the others and as many parity cells.
    convenience init(decoding lost: [Int], of code: ErasureCode) {
        let matrix = Self.matrix(code)
        let size = code.dataCount
        var known = Array(matrix[(lost.count * size)..<((lost.count + size) * size)])
        var inverse = [UInt8](repeating: 0, count: size * size)
        precondition(gf_invert_matrix(&known, &inverse, Int32(size)) == 0)
        self.init(code, coefficients: Array(inverse.prefix(lost.count * size)))
    }

    private init(_ code: ErasureCode, coefficients: [UInt8]) {
        var coefficients = coefficients
        sourceCount = code.dataCount
        resultCount = coefficients.count / code.dataCount
        tables = [UInt8](repeating: 0, count: 32 * coefficients.count)
        ec_init_tables(Int32(sourceCount), Int32(resultCount), &coefficients, &tables)
        let results = UnsafeMutablePointer<UInt8>.allocate(capacity: resultCount * code.cellSize)
        self.results = results
        outputs = (0..<resultCount).map { results + $0 * code.cellSize }
    }

    deinit { results.deallocate() }

    private static func matrix(_ code: ErasureCode) -> [UInt8] {
        var matrix = [UInt8](repeating: 0, count: code.width * code.dataCount)
        gf_gen_cauchy1_matrix(&matrix, Int32(code.width), Int32(code.dataCount))
        return matrix
    }

    /// - Parameter sources: the cells, one after another; a buffer may hold several.
    func run(on sources: [ByteBuffer], cellSize: Int) {
        // The pointers stay good as long as the buffers: their bytes are on the heap.
        withExtendedLifetime(sources) {
            var inputs = sources.flatMap { source in
                source.withUnsafeReadableBytes { bytes in
                    stride(from: 0, to: bytes.count, by: cellSize).map {
                        UnsafeMutablePointer(mutating: bytes.baseAddress?.advanced(by: $0).assumingMemoryBound(to: UInt8.self))
                    }
                }
            }
            ec_encode_data(Int32(cellSize), Int32(sourceCount), Int32(resultCount), &tables, &inputs, &outputs)
        }
    }
}
