import Core
import Metadata
import Testing

@Suite struct CollectionTests {
    @Test("garbage is listed in the order of names, on pages, until it is removed")
    func lifeCycle() async throws {
        let store = try await openStore()
        try await store.addGarbage([3, 1, 2].map { Fixture.blob($0) }, at: time(10))
        #expect(try await store.garbage(after: nil, limit: 2).map(\.blob.id) == [1, 2].map(Fixture.blobID))
        #expect(try await store.garbage(after: Fixture.blobID(2), limit: 2) == [GarbageRecord(blob: Fixture.blob(3), since: time(10))])
        #expect(try await store.garbage(after: Fixture.blobID(3), limit: 2) == [])
        #expect(try await store.garbage(after: nil, limit: 0) == [])
        try await store.removeGarbage([Fixture.blobID(2), Fixture.blobID(99)])
        #expect(try await store.garbageIDs() == [1, 3].map(Fixture.blobID))
        try await store.removeGarbage([1, 3].map(Fixture.blobID))
        #expect(try await store.garbageIDs() == [])
    }

    @Test("how much garbage there is, in blobs and in bytes of their content")
    func totals() async throws {
        let store = try await openStore()
        #expect(try await store.garbageTotals() == BlobTotals(blobCount: 0, byteCount: 0))
        try await store.addGarbage([Fixture.blob(1, byteCount: 7), Fixture.blob(2, byteCount: 8)], at: time(10))
        #expect(try await store.garbageTotals() == BlobTotals(blobCount: 2, byteCount: 15))
    }

    @Test("garbage that is added twice stays as it was")
    func addedTwice() async throws {
        let store = try await openStore()
        try await store.addGarbage([Fixture.blob(1)], at: time(10))
        try await store.addGarbage([Fixture.blob(1, byteCount: 7), Fixture.blob(2)], at: time(20))
        #expect(
            try await store.garbage(after: nil, limit: 9) == [
                GarbageRecord(blob: Fixture.blob(1), since: time(10)), GarbageRecord(blob: Fixture.blob(2), since: time(20)),
            ])
    }

    @Test("a blob that an object refers to cannot be made garbage")
    func referencedBlob() async throws {
        let store = try await openStore()
        let fixture = try await store.fixture()
        let object = fixture.object("key", version: 1, blobs: [1])
        try await store.commit(object, repairs: [])
        try await store.addGarbage([Fixture.blob(1), Fixture.blob(2)], at: time(10))
        #expect(try await store.garbageIDs() == [Fixture.blobID(2)])
        #expect(try await store.object(in: fixture.bucket.id, key: "key") == object)
    }

    @Test("an object cannot be made of garbage: its chunks may be gone")
    func garbageBlob() async throws {
        let store = try await openStore()
        let fixture = try await store.fixture()
        let before = fixture.object("key", version: 1, blobs: [1])
        try await store.commit(before, repairs: [])
        try await store.addGarbage([Fixture.blob(3)], at: time(10))
        await #expect(throws: MetadataError.self) { try await store.commit(fixture.object("key", version: 2, blobs: [2, 3]), repairs: []) }
        #expect(try await store.object(in: fixture.bucket.id, key: "key") == before)
        #expect(try await store.knownBlobs(among: [2, 3].map(Fixture.blobID)) == [Fixture.blobID(3)])
    }

    @Test("known are the blobs of objects and of the garbage list, and no others")
    func knownBlobs() async throws {
        let store = try await openStore()
        let fixture = try await store.fixture()
        try await store.commit(fixture.object("one", version: 1, blobs: [1]), repairs: [])
        try await store.commit(fixture.object("many", version: 2, blobs: [2, 3]), repairs: [])
        try await store.addGarbage([Fixture.blob(4)], at: time(1))
        #expect(try await store.knownBlobs(among: (0..<10).map(Fixture.blobID)) == Set((1...4).map(Fixture.blobID)))
        #expect(try await store.deleteObject(in: fixture.bucket.id, key: "many", at: time(3)))
        #expect(try await store.knownBlobs(among: (0..<10).map(Fixture.blobID)) == Set((1...4).map(Fixture.blobID)))
        try await store.removeGarbage([2, 4].map(Fixture.blobID))
        #expect(try await store.knownBlobs(among: (0..<10).map(Fixture.blobID)) == Set([1, 3].map(Fixture.blobID)))
        #expect(try await store.knownBlobs(among: []) == [])
    }

    @Test("removing garbage forgets the repairs that waited for it, and only those")
    func repairsOfGarbage() async throws {
        let store = try await openStore()
        try await store.addGarbage([Fixture.blob(1)], at: time(1))
        try await store.enqueueRepairs([
            Fixture.repair(1, chunk: 0), Fixture.repair(1, chunk: 1), Fixture.repair(1, chunk: 1, node: 2), Fixture.repair(2),
        ])
        #expect(try await store.repairCount() == 4)
        try await store.removeGarbage([Fixture.blobID(1)])
        #expect(try await store.repairCount() == 1)
        #expect(try await store.dueRepairs(at: time(1), nodes: [Fixture.node(1), Fixture.node(2)], limit: 9) == [Fixture.repair(2)])
    }
}
