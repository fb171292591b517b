import Core
import Metadata
import Testing

@Suite("Storage classes of buckets, and blobs that take others' place")
struct ReencodingTests {
    private static let order = orderID(1)

    private static func orderID(_ number: Int) -> ReencodingID { ReencodingID(uuid: UUIDv7(high: UInt64(number), low: 9)) }

    private static func replace(
        _ store: SQLiteMetadataStore, _ object: ObjectRecord, with blobs: [Int], repairs: [RepairRecord] = []
    ) async throws -> Bool {
        let blobs = blobs.map { number in
            object.blobs.first { $0.id == Fixture.blobID(number) } ?? Fixture.blob(number)
        }
        return try await store.replaceBlobs(of: object, with: blobs, repairs: repairs, by: order, at: time(50))
    }

    private static func blobIDs(_ store: SQLiteMetadataStore, _ fixture: Fixture, _ key: String) async throws -> [BlobID]? {
        try await store.object(in: fixture.bucket.id, key: key)?.blobs.map(\.id)
    }

    // MARK: Buckets

    @Test("a bucket follows the cluster's default until it has a class, and keeps it across a restart")
    func bucketClass() async throws {
        let directory = try TemporaryDirectory()
        let store = try await openStore(directory.database)
        let fixture = try await store.fixture()
        #expect(fixture.bucket.storageClass == nil)
        #expect(try await store.setStorageClass("ec-4-2", ofBucket: "files", order: nil)?.storageClass == "ec-4-2")
        #expect(try await store.setStorageClass("ec-4-2", ofBucket: "other", order: nil) == nil)
        #expect(try await store.reencodings().isEmpty)
        await store.close()
        let again = try await openStore(directory.database)
        #expect(try await again.fixture().bucket.storageClass == "ec-4-2")
        #expect(try await again.bucket(named: "files")?.storageClass == "ec-4-2")
        #expect(try await again.setStorageClass(nil, ofBucket: "files", order: nil)?.storageClass == nil)
        await again.close()
    }

    @Test("buckets are listed by name, on pages, but for internal ones")
    func bucketPages() async throws {
        let store = try await openStore()
        for name in ["b", "a", ".internal", "c"] { _ = try await store.ensureBucket(named: name, at: time(1)) }
        #expect(try await store.bucketClasses(after: nil, limit: 2).map(\.name) == ["a", "b"])
        #expect(try await store.bucketClasses(after: "b", limit: 2).map(\.name) == ["c"])
        #expect(try await store.bucketClasses(after: nil, limit: 0).isEmpty)
        #expect(try await store.setStorageClass("ec-4-2", ofBucket: ".internal", order: nil) == nil)
    }

    // MARK: Orders

    @Test("an order survives a restart with all that is known of it, until it is carried out")
    func orders() async throws {
        let directory = try TemporaryDirectory()
        let store = try await openStore(directory.database)
        let fixture = try await store.fixture()
        for number in 1...3 { try await store.commit(fixture.object("k\(number)", version: number, blobs: [number]), repairs: []) }
        _ = try await store.setStorageClass("ec-4-2", ofBucket: "files", order: Self.order)
        var order = try #require(try await store.reencodings().first)
        #expect(order.id == Self.order && order.objectCount == 3 && order.bucket.storageClass == "ec-4-2")
        #expect(order.position == .latest(after: nil) && order.examinedCount == 0)
        for position in [
            ReencodingRecord.Position.latest(after: ""), .latest(after: "é\0"), .older(after: nil, nil),
            .older(after: "k", VersionID(uuid: UUIDv7(high: 5, low: 6))),
        ] {
            order.position = position
            order.examinedCount += 4
            order.failedCount += 3
            order.reencodedCount += 2
            order.reencodedBytes += 1
            #expect(try await store.saveReencoding(order))
            #expect(try await store.reencodings() == [order])
        }
        await store.close()
        let again = try await openStore(directory.database)
        #expect(try await again.reencodings() == [order])
        try await again.finishReencoding(order.id)
        #expect(try await again.reencodings().isEmpty)
        await again.close()
    }

    @Test("another order, or a class without one, ends the order that was given before")
    func replacedOrder() async throws {
        let store = try await openStore()
        _ = try await store.fixture()
        _ = try await store.setStorageClass("ec-4-2", ofBucket: "files", order: Self.order)
        let first = try #require(try await store.reencodings().first)
        _ = try await store.setStorageClass("ec-2-1", ofBucket: "files", order: Self.orderID(2))
        #expect(try await store.reencodings().map(\.id) == [Self.orderID(2)])
        #expect(try await !store.saveReencoding(first))
        try await store.finishReencoding(first.id)
        #expect(try await store.reencodings().map(\.id) == [Self.orderID(2)])
        _ = try await store.setStorageClass(nil, ofBucket: "files", order: nil)
        #expect(try await store.reencodings().isEmpty)
    }

    @Test("a bucket that is deleted takes its order along")
    func deletedBucket() async throws {
        let store = try await openStore()
        let fixture = try await store.fixture()
        let object = fixture.object("key", version: 1, blobs: [1])
        let copy = fixture.object("copy", version: 2, blobs: [1])
        for object in [object, copy] { try await store.commit(object, repairs: []) }
        _ = try await store.setStorageClass("ec-4-2", ofBucket: "files", order: Self.order)
        let order = try #require(try await store.reencodings().first)
        #expect(try await Self.replace(store, object, with: [2]))
        for key in ["key", "copy"] { #expect(try await store.deleteObject(in: fixture.bucket.id, key: key, at: time(60))) }
        try await store.deleteBucket(fixture.bucket.id, at: time(61))
        #expect(try await store.reencodings().isEmpty)
        #expect(try await !store.saveReencoding(order))
        #expect(try await store.fixture().bucket.storageClass == nil)
    }

    @Test("a walk goes through the latest versions, then through older ones, and passes delete markers over")
    func walk() async throws {
        let store = try await openStore()
        let fixture = try await store.fixture()
        for (number, key) in ["a", "b", "c"].enumerated() {
            try await store.commit(fixture.object(key, version: number + 1, blobs: [number + 1]), repairs: [])
        }
        try await store.makeOlder("b", in: fixture)
        try await store.makeOlder("c", in: fixture)
        let latest = fixture.object("c", version: 4, blobs: [4])
        _ = try await store.commit(latest, condition: .none, repairs: [])
        _ = try await store.setStorageClass("ec-4-2", ofBucket: "files", order: Self.order)
        var order = try #require(try await store.reencodings().first)
        #expect(try await store.versions(toReencode: order, limit: 9).map(\.key) == ["a", "c"])
        order.position = .latest(after: "c")
        #expect(try await store.versions(toReencode: order, limit: 9).isEmpty)
        order.position = .older(after: nil, nil)
        let older = try await store.versions(toReencode: order, limit: 9)
        #expect(older == [fixture.object("b", version: 2, blobs: [2]), fixture.object("c", version: 3, blobs: [3])])
        order.position = .older(after: "b", older.first?.version)
        #expect(try await store.versions(toReencode: order, limit: 9).map(\.key) == ["c"])
        order.position = .older(after: "c", older.last?.version)
        #expect(try await store.versions(toReencode: order, limit: 9).isEmpty)
    }

    // MARK: Blobs

    @Test("a version gets its new blob and stays what it was; the old blob is garbage", arguments: [false, true])
    func replaced(isOlder: Bool) async throws {
        let store = try await openStore()
        let fixture = try await store.fixture()
        let object = fixture.object("key", version: 1, blobs: [1])
        try await store.commit(object, repairs: [])
        if isOlder { try await store.makeOlder("key", in: fixture) }
        let totals = try await store.totals()
        #expect(try await Self.replace(store, object, with: [2], repairs: [Fixture.repair(2)]))
        let after = fixture.object("key", version: 1, blobs: [2])
        if isOlder {
            #expect(try await store.versions(toReencode: store.olderWalk(fixture), limit: 9) == [after])
            #expect(try await store.object(in: fixture.bucket.id, key: "key") == nil)
        } else {
            #expect(try await store.object(in: fixture.bucket.id, key: "key") == after)
        }
        #expect(try await store.garbage(after: nil, limit: 9) == [GarbageRecord(blob: Fixture.blob(1), since: time(50))])
        #expect(try await store.totals() == totals)
        #expect(try await store.repairCount() == 1)
        #expect(try await store.blobs(after: nil, limit: 9).map(\.id) == [Fixture.blobID(2)])
    }

    enum Meanwhile: CaseIterable { case deleted, overwritten, replaced }

    @Test("what was deleted or changed meanwhile does not come back: the new blob is garbage", arguments: Meanwhile.allCases)
    func outrun(meanwhile: Meanwhile) async throws {
        let store = try await openStore()
        let fixture = try await store.fixture()
        let object = fixture.object("key", version: 1, blobs: [1])
        try await store.commit(object, repairs: [])
        switch meanwhile {
        case .deleted: #expect(try await store.deleteObject(in: fixture.bucket.id, key: "key", at: time(2)))
        case .overwritten: try await store.commit(fixture.object("key", version: 2, blobs: [3]), repairs: [])
        case .replaced: #expect(try await Self.replace(store, object, with: [3]))
        }
        let before = try await store.object(in: fixture.bucket.id, key: "key")
        #expect(try await !Self.replace(store, object, with: [2], repairs: [Fixture.repair(2)]))
        #expect(try await store.object(in: fixture.bucket.id, key: "key") == before)
        #expect(try await store.garbageIDs() == [1, 2].map(Fixture.blobID))
        #expect(try await store.repairCount() == 0)
    }

    @Test("of several blobs each is replaced in its place, and one that stays keeps its references")
    func severalBlobs() async throws {
        let store = try await openStore()
        let fixture = try await store.fixture()
        let object = fixture.object("key", version: 1, blobs: [1, 2, 1, 3])
        try await store.commit(object, repairs: [])
        #expect(try await Self.replace(store, object, with: [4, 2, 4, 5]))
        #expect(try await Self.blobIDs(store, fixture, "key") == [4, 2, 4, 5].map(Fixture.blobID))
        #expect(try await store.garbageIDs() == [1, 3].map(Fixture.blobID))
        #expect(try await store.deleteObject(in: fixture.bucket.id, key: "key", at: time(60)))
        #expect(try await store.garbageIDs() == [1, 2, 3, 4, 5].map(Fixture.blobID))
        #expect(try await store.blobs(after: nil, limit: 9).isEmpty)
    }

    @Test("a blob that something else refers to stays, and what took its place is known to who comes later")
    func sharedBlob() async throws {
        let store = try await openStore()
        let fixture = try await store.fixture()
        let one = fixture.object("one", version: 1, blobs: [1])
        let copy = fixture.object("copy", version: 2, blobs: [1])
        try await store.commit(one, repairs: [])
        try await store.commit(copy, repairs: [])
        #expect(try await store.replacements(of: [Fixture.blobID(1)], by: Self.order).isEmpty)
        #expect(try await Self.replace(store, one, with: [2]))
        #expect(try await store.garbageIDs().isEmpty)
        #expect(try await Self.blobIDs(store, fixture, "copy") == [Fixture.blobID(1)])
        #expect(try await store.replacements(of: [Fixture.blobID(1)], by: Self.order) == [Fixture.blobID(1): Fixture.blob(2)])
        #expect(try await store.replacements(of: [Fixture.blobID(1)], by: Self.orderID(2)).isEmpty)
        #expect(try await Self.replace(store, copy, with: [2]))
        #expect(try await store.garbageIDs() == [Fixture.blobID(1)])
        #expect(try await store.deleteObject(in: fixture.bucket.id, key: "one", at: time(60)))
        #expect(try await Self.blobIDs(store, fixture, "copy") == [Fixture.blobID(2)])
        #expect(try await store.deleteObject(in: fixture.bucket.id, key: "copy", at: time(61)))
        // What is gone takes nobody's place.
        #expect(try await store.replacements(of: [Fixture.blobID(1)], by: Self.order).isEmpty)
    }

    @Test("garbage takes nobody's place: the version stays as it was")
    func garbageBlob() async throws {
        let store = try await openStore()
        let fixture = try await store.fixture()
        let object = fixture.object("key", version: 1, blobs: [1])
        try await store.commit(object, repairs: [])
        try await store.addGarbage([Fixture.blob(2)], at: time(3))
        await #expect(throws: MetadataError.self) { _ = try await Self.replace(store, object, with: [2]) }
        #expect(try await store.object(in: fixture.bucket.id, key: "key") == object)
        #expect(try await store.garbageIDs() == [Fixture.blobID(2)])
    }
}

extension SQLiteMetadataStore {
    /// The versions that a key has are not the latest any more: a delete marker is.
    fileprivate func makeOlder(_ key: String, in fixture: Fixture) async throws {
        try await setVersioning(.enabled, of: fixture.bucket.id)
        let marker = VersionID(uuid: UUIDv7(high: 100, low: 2))
        let deletion = try await delete(
            .latest, of: key, in: fixture.bucket.id, marker: marker, owner: nil, condition: .none, bypassingGovernance: false, at: time(10))
        #expect(deletion.isDeleteMarker)
    }

    fileprivate func olderWalk(_ fixture: Fixture) -> ReencodingRecord {
        ReencodingRecord(
            id: ReencodingID(uuid: UUIDv7(high: 1, low: 9)), bucket: fixture.bucket, objectCount: 0, position: .older(after: nil, nil))
    }
}
