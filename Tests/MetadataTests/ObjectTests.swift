import Core
import Metadata
import Testing

@Suite struct ObjectTests {
    @Test("an object comes back as it was committed, whatever its names hold")
    func roundTrip() async throws {
        let store = try await openStore()
        let bucket = try await store.ensureBucket(named: "files", at: time(1))
        let record = ObjectRecord(
            bucket: bucket.id, key: "a\0b/ключ \u{1F600}", version: VersionID(uuid: UUIDv7(high: .max, low: .max)), byteCount: 1 << 50,
            fileName: "nul\0 \"quote\"\n.bin", contentType: "text/plain; charset=\u{0}x", etag: "abc-2", crc32c: .max,
            createdAt: time(1_700_000_000_123), userMetadata: ["x-amz-meta-a": "b\0c", "ü": "\"\\\n"],
            blobs: [
                BlobRecord(
                    id: BlobID(uuid: UUIDv7(high: .max, low: 0)), byteCount: 1 << 50, chunkSize: 1 << 20, layoutVersion: 9,
                    storageClass: "replicated-3")
            ])
        try await store.commit(record, repairs: [])
        #expect(try await store.object(in: bucket.id, key: record.key) == record)
        #expect(try await store.object(in: bucket.id, key: "a") == nil)
        #expect(try await store.objects(in: bucket.id, after: nil, limit: 10) == [record])
    }

    @Test("objects of no blob, of one and of many come back in order", arguments: [[], [7], [3, 1, 2], [5, 5, 4]])
    func blobs(numbers: [Int]) async throws {
        let store = try await openStore()
        let fixture = try await store.fixture()
        let object = fixture.object("key", version: 1, blobs: numbers)
        try await store.commit(object, repairs: [])
        #expect(try await store.object(in: fixture.bucket.id, key: "key") == object)
        #expect(try await store.objects(in: fixture.bucket.id, after: nil, limit: 1) == [object])
        #expect(try await store.deleteObject(in: fixture.bucket.id, key: "key", at: time(5)))
        #expect(try await store.garbageIDs() == Set(numbers).sorted().map(Fixture.blobID))
    }

    @Test("a key has the content that was committed last; what it had is garbage, from the time of the new version on")
    func overwrite() async throws {
        let store = try await openStore()
        let fixture = try await store.fixture()
        try await store.commit(fixture.object("key", version: 1, blobs: [1, 2]), repairs: [])
        let second = fixture.object("key", version: 2, blobs: [3])
        try await store.commit(second, repairs: [])
        #expect(try await store.object(in: fixture.bucket.id, key: "key") == second)
        let garbage = try await store.garbage(after: nil, limit: 10)
        #expect(garbage == [1, 2].map { GarbageRecord(blob: Fixture.blob($0), since: time(2)) })
        let third = fixture.object("key", version: 3, blobs: [4, 5, 6])
        try await store.commit(third, repairs: [])
        #expect(try await store.object(in: fixture.bucket.id, key: "key") == third)
        #expect(try await store.garbageIDs() == [1, 2, 3].map(Fixture.blobID))
        #expect(try await store.totals() == MetadataTotals(objectCount: 1, byteCount: 300))
    }

    @Test("a blob that two objects share is garbage only when both are gone")
    func sharedBlob() async throws {
        let store = try await openStore()
        let fixture = try await store.fixture()
        try await store.commit(fixture.object("one", version: 1, blobs: [1]), repairs: [])
        try await store.commit(fixture.object("two", version: 2, blobs: [1, 2]), repairs: [])
        // Copied onto itself, with other metadata.
        try await store.commit(fixture.object("one", version: 3, blobs: [1]), repairs: [])
        #expect(try await store.garbageIDs() == [])
        #expect(try await store.deleteObject(in: fixture.bucket.id, key: "one", at: time(4)))
        #expect(try await store.garbageIDs() == [])
        #expect(try await store.deleteObject(in: fixture.bucket.id, key: "two", at: time(5)))
        #expect(try await store.garbageIDs() == [1, 2].map(Fixture.blobID))
        #expect(try await store.totals() == MetadataTotals(objectCount: 0, byteCount: 0))
    }

    @Test("a commit that is repeated changes nothing", arguments: [[1], [1, 2]])
    func repeatedCommit(blobs: [Int]) async throws {
        let store = try await openStore()
        let fixture = try await store.fixture()
        let object = fixture.object("key", version: 1, blobs: blobs)
        for _ in 0..<3 { try await store.commit(object, repairs: []) }
        #expect(try await store.object(in: fixture.bucket.id, key: "key") == object)
        #expect(try await store.garbageIDs() == [])
        #expect(try await store.deleteObject(in: fixture.bucket.id, key: "key", at: time(4)))
        #expect(try await store.garbageIDs() == blobs.map(Fixture.blobID))
    }

    @Test("nothing is committed into a bucket that is not there, not even its repairs")
    func noSuchBucket() async throws {
        let store = try await openStore()
        let fixture = Fixture(bucket: BucketRecord(id: BucketID(value: 99), name: "none", createdAt: time(1)))
        await #expect(throws: MetadataError.noSuchBucket(BucketID(value: 99))) {
            try await store.commit(fixture.object("key", version: 1, blobs: [1]), repairs: [Fixture.repair(1)])
        }
        #expect(try await store.knownBlobs(among: [Fixture.blobID(1)]) == [])
        #expect(try await store.repairCount() == 0)
        #expect(try await store.totals() == MetadataTotals(objectCount: 0, byteCount: 0))
    }

    @Test("an object whose size is not that of its blobs is refused")
    func sizes() async throws {
        let store = try await openStore()
        let fixture = try await store.fixture()
        let good = fixture.object("key", version: 1, blobs: [1])
        let bad = ObjectRecord(
            bucket: good.bucket, key: good.key, version: good.version, byteCount: 99, fileName: nil, contentType: "", etag: "",
            crc32c: nil, createdAt: good.createdAt, userMetadata: [:], blobs: good.blobs)
        await #expect(throws: MetadataError.self) { try await store.commit(bad, repairs: []) }
        #expect(try await store.object(in: fixture.bucket.id, key: "key") == nil)
    }

    @Test("deleting what is not there answers false")
    func deleteNothing() async throws {
        let store = try await openStore()
        let fixture = try await store.fixture()
        #expect(try await !store.deleteObject(in: fixture.bucket.id, key: "key", at: time(1)))
        #expect(try await !store.deleteObject(in: BucketID(value: 99), key: "key", at: time(1)))
        #expect(try await store.totals() == MetadataTotals(objectCount: 0, byteCount: 0))
    }

    @Test("a bucket has one record, and keys of one bucket are none of another's")
    func buckets() async throws {
        let store = try await openStore()
        let one = try await store.ensureBucket(named: "one", at: time(5))
        #expect(try await store.ensureBucket(named: "one", at: time(6)) == one)
        #expect(try await store.bucket(named: "one") == one)
        #expect(one.createdAt == time(5))
        #expect(try await store.bucket(named: "One") == nil)
        #expect(try await store.bucket(named: "one\0") == nil)
        let two = try await store.ensureBucket(named: "two", at: time(7))
        #expect(one.id != two.id)
        try await store.commit(Fixture(bucket: one).object("key", version: 1, blobs: [1]), repairs: [])
        #expect(try await store.object(in: two.id, key: "key") == nil)
        #expect(try await store.objects(in: two.id, after: nil, limit: 10) == [])
    }

    /// Neighbours in the order of UTF-8 bytes that other orders would exchange, or hold for the same.
    private static let oddKeys = [
        "", "\0", "\0\0", "\n", " ", "!", "%2F", "+", "../..", "//", "/a", "A", "Z", "a", "a\0", "a\0b", "a/", "a//b", "a/b", "aa",
        "e\u{301}", "z", "\u{7F}", "\u{80}", "é", "Ω", "\u{FFFD}", "\u{10000}", "\u{1F600}", "\u{10FFFF}",
    ]

    @Test("a listing is in byte order of the keys, on pages of any size", arguments: [1, 2, 3, 7, 100])
    func paging(pageSize: Int) async throws {
        let store = try await openStore()
        let fixture = try await store.fixture()
        let other = Fixture(bucket: try await store.ensureBucket(named: "other", at: time(1)))
        for (number, key) in Self.oddKeys.shuffled(seed: 3).enumerated() {
            try await store.commit(fixture.object(key, version: number, blobs: [number]), repairs: [])
            try await store.commit(other.object(key, version: 1000 + number, blobs: [1000 + number]), repairs: [])
        }
        let expected = Self.oddKeys.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }.map { Array($0.utf8) }
        var listed: [[UInt8]] = []
        var cursor: String?
        while true {
            let page = try await store.objects(in: fixture.bucket.id, after: cursor, limit: pageSize)
            #expect(page.count <= pageSize)
            guard let last = page.last else { break }
            listed += page.map { Array($0.key.utf8) }
            cursor = last.key
        }
        #expect(listed == expected)
        for key in Self.oddKeys {
            #expect(try await store.object(in: fixture.bucket.id, key: key).map { Array($0.key.utf8) } == Array(key.utf8))
        }
        #expect(try await store.objects(in: fixture.bucket.id, after: nil, limit: 0) == [])
    }

    @Test("a listing goes on where it was, though the cursor's object and others came and went")
    func cursorStability() async throws {
        let store = try await openStore()
        let fixture = try await store.fixture()
        for number in 0..<10 { try await store.commit(fixture.object("k\(number)", version: number, blobs: [number]), repairs: []) }
        let first = try await store.objects(in: fixture.bucket.id, after: nil, limit: 5).map(\.key)
        #expect(first == ["k0", "k1", "k2", "k3", "k4"])
        #expect(try await store.deleteObject(in: fixture.bucket.id, key: "k4", at: time(1)))
        #expect(try await store.deleteObject(in: fixture.bucket.id, key: "k6", at: time(1)))
        try await store.commit(fixture.object("k3+", version: 20, blobs: [20]), repairs: [])
        try await store.commit(fixture.object("k4+", version: 21, blobs: [21]), repairs: [])
        let second = try await store.objects(in: fixture.bucket.id, after: "k4", limit: 5).map(\.key)
        #expect(second == ["k4+", "k5", "k7", "k8", "k9"])
    }
}

extension Array {
    func shuffled(seed: UInt64) -> [Element] {
        let random = SeededRandom(seed: seed)
        return map { ($0, random.next()) }.sorted { $0.1 < $1.1 }.map(\.0)
    }
}
