/// The checksum of two byte strings one behind the other, from theirs and the length of the second: multiplication by a power of x in the
/// ring of polynomials modulo the CRC's (M. Adler's `crc32_combine` in zlib does the same).
public enum CRCCombination {
    /// - Parameters:
    ///   - algorithm: a linear one.
    ///   - first: and `second`: as ``ContentDigest/value(of:)`` has them.
    ///   - byteCount: of the second.
    /// - Returns: nil for an algorithm that is not linear.
    public static func combine(_ algorithm: ChecksumAlgorithm, _ first: [UInt8], _ second: [UInt8], byteCount: Int64) -> [UInt8]? {
        switch algorithm {
        case .crc32: combine(first, second, byteCount, polynomial: 0xEDB8_8320, width: 32)
        case .crc32c: combine(first, second, byteCount, polynomial: 0x82F6_3B78, width: 32)
        case .crc64nvme: combine(first, second, byteCount, polynomial: CRC64NVME.polynomial, width: 64)
        case .sha1, .sha256: nil
        }
    }

    private static func combine(_ first: [UInt8], _ second: [UInt8], _ byteCount: Int64, polynomial: UInt64, width: Int) -> [UInt8] {
        let shifted = multiply(integer(first), power(8 * UInt64(byteCount), polynomial, width), polynomial, width)
        let value = shifted ^ integer(second)
        return (0..<width / 8).map { UInt8(truncatingIfNeeded: value >> UInt64(width - 8 - 8 * $0)) }
    }

    private static func integer(_ bytes: [UInt8]) -> UInt64 { bytes.reduce(0) { $0 << 8 | UInt64($1) } }

    /// x to the `exponent`, in bit-reversed order: the highest bit of `width` is x to the 0.
    private static func power(_ exponent: UInt64, _ polynomial: UInt64, _ width: Int) -> UInt64 {
        var result: UInt64 = 1 << UInt64(width - 1)
        var square: UInt64 = 1 << UInt64(width - 2)
        var rest = exponent
        while rest > 0 {
            if rest & 1 == 1 { result = multiply(result, square, polynomial, width) }
            square = multiply(square, square, polynomial, width)
            rest >>= 1
        }
        return result
    }

    private static func multiply(_ left: UInt64, _ right: UInt64, _ polynomial: UInt64, _ width: Int) -> UInt64 {
        var product: UInt64 = 0
        var term = right
        for bit in stride(from: width - 1, through: 0, by: -1) {
            if left >> UInt64(bit) & 1 == 1 { product ^= term }
            term = term & 1 == 1 ? term >> 1 ^ polynomial : term >> 1
        }
        return product
    }
}
