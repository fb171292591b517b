import Core
import Testing

@Suite struct IdentifierTests {
    private static let known = UUIDv7(high: 0x0192_3A4B_5C6D_7E8F, low: 0x8123_4567_89AB_CDEF)
    private static let knownText = "01923a4b-5c6d-7e8f-8123-456789abcdef"

    @Test("an identifier has one text, in the five groups of RFC 9562")
    func text() {
        #expect(Self.known.description == Self.knownText)
        #expect(UUIDv7(Self.knownText) == Self.known)
        #expect(UUIDv7(Self.knownText.uppercased()) == Self.known)
        #expect(UUIDv7(high: 0, low: 0).description == "00000000-0000-0000-0000-000000000000")
        #expect(UUIDv7(high: .max, low: .max).description == "ffffffff-ffff-ffff-ffff-ffffffffffff")
    }

    @Test(
        "anything but that text is no identifier",
        arguments: [
            "", "-", "01923a4b", "01923a4b5c6d7e8f8123456789abcdef", "01923a4b-5c6d-7e8f-8123-456789abcde",
            "01923a4b-5c6d-7e8f-8123-456789abcdef0", "01923a4b-5c6d-7e8f-8123-456789abcdeg", "{01923a4b-5c6d-7e8f-8123-456789abcdef}",
            "01923a4b-5c6d-7e8f-81234-56789abcdef", "01923a4b 5c6d 7e8f 8123 456789abcdef", "-1923a4b-5c6d-7e8f-8123-456789abcdef",
            "01923a4b-5c6d-7e8f-8123-456789abcde\u{E9}", "01923a4b-5c6d-7e8f-8123-456789abcdef\n",
            "../../../../../../../../../../etc/passwd",
        ])
    func otherText(text: String) {
        #expect(UUIDv7(text) == nil)
        #expect(FileID(text) == nil)
    }

    @Test("text and bytes lead back to the identifier, and keep its order")
    func roundTrip() {
        let random = SeededRandom(seed: 1)
        var all: [UUIDv7] = []
        for number in 0..<1000 {
            let made = Timestamp(millisecondsSince1970: Int64(random.next() >> (16 + UInt64(number % 40))))
            all.append(UUIDv7(time: made, random: random))
        }
        for id in all {
            #expect(UUIDv7(id.description) == id)
            #expect(UUIDv7(bytes: id.bytes) == id)
            #expect(id.bytes.count == 16)
        }
        let sorted = all.sorted()
        #expect(sorted == all.sorted { $0.bytes.lexicographicallyPrecedes($1.bytes) })
        #expect(sorted == all.sorted { $0.description.utf8.lexicographicallyPrecedes($1.description.utf8) })
    }

    @Test("only sixteen bytes are an identifier")
    func otherBytes() {
        #expect(UUIDv7(bytes: []) == nil)
        #expect(UUIDv7(bytes: [UInt8](repeating: 1, count: 15)) == nil)
        #expect(UUIDv7(bytes: [UInt8](repeating: 1, count: 17)) == nil)
        #expect(UUIDv7(bytes: Self.known.bytes[...]) == Self.known)
    }

    @Test(
        "a fresh identifier tells its time, version and variant, and later ones are greater",
        arguments: [0, 1, 1_700_000_000_123, (1 << 48) - 1])
    func fresh(milliseconds: Int64) {
        let random = SeededRandom(seed: 2)
        let made = Timestamp(millisecondsSince1970: milliseconds)
        for _ in 0..<100 {
            let id = UUIDv7(time: made, random: random)
            #expect(id.time == made)
            #expect(id.high >> 12 & 0xF == 7)
            #expect(id.low >> 62 == 0b10)
            #expect(id < UUIDv7(time: Timestamp(millisecondsSince1970: milliseconds + 1), random: random) || milliseconds == (1 << 48) - 1)
        }
    }

    @Test("identifiers of one moment differ")
    func collisions() {
        let random = SeededRandom(seed: 3)
        let made = Timestamp(millisecondsSince1970: 1)
        #expect(Set((0..<10_000).map { _ in BlobID(time: made, random: random) }).count == 10_000)
    }

    @Test("chunks and fragments are ordered by blob, then index, then number, and say so")
    func chunks() {
        let blob = BlobID(uuid: Self.known)
        let later = BlobID(uuid: UUIDv7(high: Self.known.high, low: Self.known.low + 1))
        let inOrder = [
            FragmentID(chunk: ChunkID(blob: blob, index: 0), number: 0), FragmentID(chunk: ChunkID(blob: blob, index: 0), number: 1),
            FragmentID(chunk: ChunkID(blob: blob, index: 2)), FragmentID(chunk: ChunkID(blob: blob, index: 10)),
            FragmentID(chunk: ChunkID(blob: later, index: 1)),
        ]
        #expect(inOrder.reversed().sorted() == inOrder)
        #expect(inOrder[3].description == Self.knownText + "/10.0")
    }
}
