import Core
import Metadata
import Testing

@Suite("Internal buckets, and changes that a backup lacks")
struct InternalBucketTests {
    @Test("what is in an internal bucket counts in no total")
    func totals() async throws {
        let store = try await openStore()
        let (files, own) = (try await store.fixture("files"), try await store.fixture(".metadata"))
        #expect(own.bucket.isInternal && !files.bucket.isInternal)
        try await store.commit(files.object("a", version: 1, blobs: [1]), repairs: [])
        try await store.commit(own.object("b", version: 2, blobs: [2]), repairs: [])
        #expect(try await store.totals() == MetadataTotals(objectCount: 1, byteCount: 100))
        try await store.commit(own.object("b", version: 3, blobs: [3]), repairs: [])
        #expect(try await store.deleteObject(in: own.bucket.id, key: "b", at: time(4)))
        #expect(try await store.totals() == MetadataTotals(objectCount: 1, byteCount: 100))
        #expect(try await store.garbageIDs() == [Fixture.blobID(2), Fixture.blobID(3)])
        #expect(try await store.buckets().map(\.name) == [".metadata", "files"])
    }

    @Test("a change that a backup would lack is counted; what the store finds out again by itself is not")
    func changes() async throws {
        let store = try await openStore()
        let (files, own) = (try await store.fixture("files"), try await store.fixture(".metadata"))
        func isChange(_ body: () async throws -> Void) async throws -> Bool {
            let before = store.changeCount
            try await body()
            return store.changeCount > before
        }
        #expect(try await isChange { try await store.commit(files.object("a", version: 1, blobs: [1]), repairs: []) })
        #expect(try await isChange { try await store.saveLayout(version: 1, encoded: [1], nodes: [], at: time(1)) })
        #expect(try await isChange { try await store.moveBlobs([Fixture.blobID(1)], toLayout: 9) })
        #expect(try await isChange { try await store.setFlag(named: "x", to: true) })
        #expect(try await isChange { _ = try await store.deleteObject(in: files.bucket.id, key: "a", at: time(2)) })
        #expect(try await !isChange { _ = try await store.deleteObject(in: files.bucket.id, key: "a", at: time(2)) })
        #expect(try await !isChange { try await store.commit(own.object("b", version: 2, blobs: [2]), repairs: []) })
        #expect(try await !isChange { _ = try await store.deleteObject(in: own.bucket.id, key: "b", at: time(3)) })
        #expect(try await !isChange { try await store.enqueueRepairs([Fixture.repair(1)]) })
        #expect(try await !isChange { try await store.removeGarbage([Fixture.blobID(1)]) })
        let directory = try TemporaryDirectory()
        #expect(try await !isChange { try await store.backup(to: directory.path + "/backup") })
    }
}
