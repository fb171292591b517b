import Core
import Foundation
import NIOCore
import Testing

@Suite("Content digests")
struct ContentDigestTests {
    /// Published check values: of the digits 1 to 9 (catalogue of parametrised CRC algorithms, RFC 3174, FIPS 180-2).
    @Test(
        "every checksum of the digits 1 to 9 is the published one",
        arguments: [
            (ChecksumAlgorithm.crc32, "cbf43926"), (.crc32c, "e3069283"), (.crc64nvme, "ae8b14860a799888"),
            (.sha1, "f7c3bc1d808e04732adf679965ccc34ca7ae3441"),
            (.sha256, "15e2b0d3c33891ebb0f1ef609ec419420c20e320ce94c65fbc8c3312448eb225"),
        ])
    func publishedValues(algorithm: ChecksumAlgorithm, expected: String) throws {
        var digest = ContentDigest(algorithms: [algorithm])
        // In two pieces, at an odd place.
        digest.update(ByteBuffer(string: "1234567"))
        digest.update(ByteBuffer(string: "89"))
        #expect(hexadecimal(try #require(digest.value(of: algorithm))) == expected)
        #expect(digest.value(of: algorithm)?.count == algorithm.byteCount)
    }

    @Test("what was not asked for is not computed")
    func onlyAskedFor() {
        let digest = ContentDigest(algorithms: [.sha256])
        #expect(digest.value(of: .sha1) == nil && digest.value(of: .crc32) == nil && digest.value(of: .sha256) != nil)
    }

    @Test("the checksum of a whole follows from those of its parts", arguments: ChecksumAlgorithm.allCases.filter(\.isLinear))
    func combination(algorithm: ChecksumAlgorithm) throws {
        var generator = SystemRandomNumberGenerator()
        let seed = generator.next()
        let random = SeededRandom(seed: seed)
        for _ in 0..<50 {
            let bytes = (0..<Int(random.next() % 5_000)).map { _ in UInt8(truncatingIfNeeded: random.next()) }
            let cut = bytes.isEmpty ? 0 : Int(random.next() % UInt64(bytes.count + 1))
            let parts = [Array(bytes[..<cut]), Array(bytes[cut...]), bytes].map { part in
                var digest = ContentDigest(algorithms: [algorithm])
                digest.update(ByteBuffer(bytes: part))
                return digest.value(of: algorithm) ?? []
            }
            let combined = CRCCombination.combine(algorithm, parts[0], parts[1], byteCount: Int64(bytes.count - cut))
            #expect(combined == parts[2], "seed \(seed)")
        }
    }

    @Test("checksums that are not linear are not combined", arguments: [ChecksumAlgorithm.sha1, .sha256])
    func notCombined(algorithm: ChecksumAlgorithm) {
        #expect(CRCCombination.combine(algorithm, [1], [2], byteCount: 1) == nil)
    }
}
