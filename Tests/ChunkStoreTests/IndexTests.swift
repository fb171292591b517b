import ChunkStore
import Core
import Testing

@Suite("Index")
struct IndexTests {
    private static func entry(_ number: Int, offset: Int = 4096) -> IndexEntry {
        IndexEntry(id: StoreFixture.id(number), location: FragmentLocation(segment: 1, offset: offset, payloadByteCount: number))
    }

    @Test("an entry gives back what it was made of, at the ends of every range")
    func entries() {
        let blob = BlobID(uuid: UUIDv7(high: .max, low: .max))
        for (index, number, segment, offset, count) in [
            (UInt32.max, UInt8.max, UInt32(0xFF_FFFF), Int(UInt32.max) * 64, Int(UInt32.max)), (0, 0, 1, 4096, 0), (7, 1, 2, 64, 256 << 20),
        ] {
            let id = FragmentID(chunk: ChunkID(blob: blob, index: index), number: number)
            let location = FragmentLocation(segment: segment, offset: offset, payloadByteCount: count)
            let entry = IndexEntry(id: id, location: location)
            #expect(entry.id == id && entry.location == location && entry.isNamed(id) && !entry.isEmpty)
            #expect(IndexEntry.hash(id, salt: 9) == entry.hash(salt: 9))
        }
    }

    @Test("the table agrees with a dictionary through growth and removal, and stays in order", arguments: 1...8)
    func model(seed: Int) {
        let random = SeededRandom(seed: UInt64(seed))
        let salt = random.next()
        var table = SortedProbingTable(salt: salt)
        var model: [Int: Int] = [:]
        for step in 0..<20_000 {
            let number = random.next(in: 0..<3_000)
            let id = StoreFixture.id(number)
            let hash = IndexEntry.hash(id, salt: salt)
            switch random.next(in: 0..<(step < 10_000 ? 3 : 5)) {
            case 0, 1:
                let former = table.set(Self.entry(number, offset: 64 * (step + 1)), hash: hash)
                #expect(former?.offset == model.updateValue(64 * (step + 1), forKey: number))
            case 2:
                #expect(table.find(id, hash: hash)?.offset == model[number])
            default:
                #expect(table.remove(id, hash: hash)?.offset == model.removeValue(forKey: number))
            }
        }
        #expect(table.count == model.count)
        var hashes: [UInt64] = []
        table.forEach(after: nil) { _, hash in
            hashes.append(hash)
            return true
        }
        // The upper eight bits name the shard, and do not count within one.
        let expected = model.keys.map { IndexEntry.hash(StoreFixture.id($0), salt: salt) }
        #expect(hashes == expected.sorted { $0 << 8 < $1 << 8 })
        for (number, offset) in model {
            let id = StoreFixture.id(number)
            #expect(table.find(id, hash: IndexEntry.hash(id, salt: salt))?.offset == offset)
        }
    }

    @Test("a fragment costs at most 48 bytes, however many there are")
    func memory() {
        var table = SortedProbingTable(salt: 5)
        var worst = 0.0
        for number in 0..<60_000 {
            let entry = Self.entry(number)
            _ = table.set(entry, hash: entry.hash(salt: 5))
            if table.count > 4_000 { worst = max(worst, Double(table.byteCount) / Double(table.count)) }
        }
        #expect(worst <= 48)
    }
}
