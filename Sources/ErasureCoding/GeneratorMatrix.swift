internal import CISAL

/// The coefficients of a code: cell `r` of a row is the sum over `j` of `self[r, j]` times data cell `j`, in GF(2^8) modulo 0x11D.
///
/// The upper `dataCount` rows are the identity, those below are `1 / (r ^ j)` (a Cauchy matrix), so that any `dataCount` of all rows
/// can be inverted. A row's coefficients do not depend on the number of rows.
package struct GeneratorMatrix: Sendable {
    let code: ErasureCode
    private let coefficients: [UInt8]

    package init(_ code: ErasureCode) {
        self.code = code
        coefficients = [UInt8](unsafeUninitializedCapacity: code.width * code.dataCount) { matrix, count in
            gf_gen_cauchy1_matrix(matrix.baseAddress, Int32(code.width), Int32(code.dataCount))
            count = code.width * code.dataCount
        }
    }

    func rows(_ numbers: some Sequence<Int>) -> [UInt8] {
        numbers.flatMap { coefficients[$0 * code.dataCount..<($0 + 1) * code.dataCount] }
    }

    /// The rows that compute the cells `numbers` from the cells `sources`, of which there are `dataCount`, all different.
    func rows(_ numbers: [Int], from sources: [Int]) -> [UInt8] {
        let size = code.dataCount
        precondition(sources.count == size && Set(sources).count == size, "as many cells as the code has of data")
        var known = rows(sources)
        var inverse = [UInt8](repeating: 0, count: size * size)
        precondition(gf_invert_matrix(&known, &inverse, Int32(size)) == 0, "any rows of a Cauchy matrix can be inverted")
        var result: [UInt8] = []
        for number in numbers {
            let row = rows([number])
            for column in 0..<size {
                result.append((0..<size).reduce(0) { $0 ^ gf_mul(row[$1], inverse[$1 * size + column]) })
            }
        }
        return result
    }
}
