import Core
import ErasureCoding
import NIOCore

/// A code that is known to exist.
func code(_ dataCount: Int, _ parityCount: Int) -> ErasureCode {
    guard let code = ErasureCode(dataCount: dataCount, parityCount: parityCount) else { preconditionFailure("no such code") }
    return code
}

/// Narrow, usual, wide and odd ones.
let someCodes = [(2, 1), (2, 2), (3, 2), (4, 2), (5, 3), (6, 3), (7, 1), (8, 2), (8, 4), (10, 4), (12, 4), (16, 1), (16, 4)].map(code)

extension SeededRandom {
    func buffer(byteCount: Int) -> ByteBuffer {
        var buffer = ByteBuffer()
        for _ in 0..<(byteCount + 7) / 8 { buffer.writeInteger(next()) }
        return buffer.getSlice(at: 0, length: byteCount) ?? ByteBuffer()
    }
}

/// Every choice of `count` of the numbers below `limit`.
func choices(of count: Int, below limit: Int) -> [[Int]] {
    if count == 0 { return [[]] }
    if count > limit { return [] }
    return choices(of: count, below: limit - 1) + choices(of: count - 1, below: limit - 1).map { $0 + [limit - 1] }
}
