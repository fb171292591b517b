import Core
import Metadata
import Testing

@Suite struct MultipartTests {
    private let id = UploadID(uuid: UUIDv7(high: 1, low: 1))

    private func upload(_ store: SQLiteMetadataStore) async throws -> Fixture {
        let bucket = try await store.createBucket(named: "bucket", owner: "o", isLocking: false, documents: [:], at: time(1))
        var attributes = ObjectAttributes()
        attributes.checksum = .init(algorithm: "CRC32", value: "", kind: .composite)
        let upload = UploadRecord(
            id: id, bucket: bucket.id, key: "key", contentType: "a/b", userMetadata: ["k": "v"], attributes: attributes, createdAt: time(2))
        try await store.createUpload(upload)
        #expect(try await store.upload(id) == upload)
        return Fixture(bucket: bucket)
    }

    private func part(_ number: Int, blob: Int?) -> PartRecord {
        PartRecord(
            number: number, byteCount: blob == nil ? 0 : 100, etag: "p\(blob ?? 0)", crc32c: UInt32(number), checksum: "c\(number)=",
            createdAt: time(3), blob: blob.map { Fixture.blob($0) })
    }

    private func put(_ store: SQLiteMetadataStore, _ parts: [PartRecord]) async throws {
        for part in parts { try await store.putPart(part, of: id, repairs: []) }
    }

    @Test("parts become an object; the rest is garbage; the upload is gone, and how it ended is remembered")
    func complete() async throws {
        let store = try await openStore()
        let fixture = try await upload(store)
        let parts = [part(1, blob: 1), part(2, blob: 2), part(5, blob: nil), part(7, blob: 7)]
        try await put(store, [part(2, blob: 20)] + parts)
        try await store.putPart(parts[0], of: id, repairs: [Fixture.repair(1)])
        #expect(try await store.garbageIDs() == [Fixture.blobID(20)])
        #expect(try await store.parts(of: id, after: 0, limit: 100) == parts)
        #expect(try await store.parts(of: id, after: 2, limit: 1) == [parts[2]])
        #expect(try await store.knownBlobs(among: [1, 2, 7].map(Fixture.blobID)).count == 3)
        // A writer that does not know how it ended may do so.
        try await store.addGarbage([Fixture.blob(1)], at: time(4))
        let object = fixture.object("key", version: 6, blobs: [1, 2])
        let chosen = [parts[0], parts[1], parts[2]]
        let committed = try await store.completeUpload(id, as: object, parts: chosen, partsDigest: "digest", condition: .none)
        #expect(try await store.object(in: fixture.bucket.id, key: "key") == object)
        #expect(try await store.garbageIDs() == [7, 20].map(Fixture.blobID))
        #expect(try await store.upload(id) == nil)
        #expect(try await store.parts(of: id, after: 0, limit: 100) == [])
        let kept = try await store.parts(ofVersion: committed.version, after: 0, limit: 100)
        #expect(kept == [part(1, blob: 1), part(2, blob: 2), part(5, blob: nil)].map(\.withoutBlob))
        #expect(try await store.parts(ofVersion: committed.version, after: 1, limit: 1) == [parts[1].withoutBlob])
        let completed = CompletedUpload(
            bucket: fixture.bucket.id, key: "key", partsDigest: "digest", etag: "e6", version: committed)
        #expect(try await store.completedUpload(id) == completed)
        #expect(try await store.totals() == MetadataTotals(objectCount: 1, byteCount: 200))
        await #expect(throws: MetadataError.noSuchUpload) { try await put(store, [part(1, blob: 30)]) }
        await #expect(throws: MetadataError.noSuchUpload) {
            _ = try await store.completeUpload(id, as: object, parts: chosen, partsDigest: "digest", condition: .none)
        }
        #expect(try await store.abortUpload(id, at: time(9)) == false)
        try await store.forgetCompletedUploads(before: time(6))
        #expect(try await store.completedUpload(id) == completed)
        try await store.forgetCompletedUploads(before: time(7))
        #expect(try await store.completedUpload(id) == nil)
        #expect(try await store.deleteObject(in: fixture.bucket.id, key: "key", at: time(9)))
        #expect(try await store.garbageIDs() == [1, 2, 7, 20].map(Fixture.blobID))
        #expect(try await store.parts(ofVersion: committed.version, after: 0, limit: 100) == [])
    }

    @Test("an upload whose parts have changed, or whose condition fails, is not completed, and stays")
    func refused() async throws {
        let store = try await openStore()
        let fixture = try await upload(store)
        let old = part(1, blob: 1)
        try await put(store, [old, part(1, blob: 2)])
        func complete(_ parts: [PartRecord], _ condition: WriteCondition = .none) async throws {
            let object = fixture.object("key", version: 6, blobs: parts.compactMap(\.blob).map { Int($0.id.uuid.high) })
            _ = try await store.completeUpload(id, as: object, parts: parts, partsDigest: "d", condition: condition)
        }
        await #expect(throws: MetadataError.conflict(detail: "part 1 is another by now")) { try await complete([old]) }
        await #expect(throws: MetadataError.conflict(detail: "part 3 is not there any more")) {
            try await complete([part(1, blob: 2), part(3, blob: 3)])
        }
        await #expect(throws: MetadataError.noSuchKey) { try await complete([part(1, blob: 2)], WriteCondition(ifMatch: .any)) }
        #expect(try await store.parts(of: id, after: 0, limit: 9) == [part(1, blob: 2)])
        #expect(try await store.completedUpload(id) == nil)
        #expect(try await store.totals().objectCount == 0)
        // Moved between layouts meanwhile, it is the same part.
        try await store.moveBlobs([Fixture.blobID(2)], toLayout: 4)
        try await complete([part(1, blob: 2)], WriteCondition(ifNoneMatch: .any))
        #expect(try await store.object(in: fixture.bucket.id, key: "key")?.blobs.first?.layoutVersion == 4)
    }

    @Test("of two who complete an upload at once one does; the other can learn how")
    func completedTwice() async throws {
        let directory = try TemporaryDirectory()
        let store = try await openStore(directory.database, executor: ThreadPoolExecutor(threadCount: 3))
        let fixture = try await upload(store)
        try await put(store, [part(1, blob: 1)])
        let outcomes = await withTaskGroup(of: CommittedVersion?.self) { group in
            for number in 0..<4 {
                group.addTask {
                    try? await store.completeUpload(
                        id, as: fixture.object("key", version: number, blobs: [1]), parts: [part(1, blob: 1)], partsDigest: "d",
                        condition: .none)
                }
            }
            return await group.reduce(into: []) { $0.append($1) }
        }
        let done = outcomes.compactMap { $0 }
        #expect(done.count == 1)
        #expect(try await store.completedUpload(id)?.version == done.first)
        #expect(try await store.garbageIDs() == [])
        await store.close()
    }

    @Test("aborting makes the parts garbage, and so does deleting the bucket", arguments: [true, false])
    func abort(byBucket: Bool) async throws {
        let store = try await openStore()
        let fixture = try await upload(store)
        try await put(store, [part(1, blob: 1), part(2, blob: 2), part(3, blob: nil)])
        if byBucket {
            try await store.deleteBucket(fixture.bucket.id, at: time(9))
        } else {
            #expect(try await store.abortUpload(id, at: time(9)))
        }
        #expect(try await store.garbage(after: nil, limit: 9) == [1, 2].map { GarbageRecord(blob: Fixture.blob($0), since: time(9)) })
        #expect(try await store.upload(id) == nil)
        await #expect(throws: MetadataError.noSuchUpload) { try await put(store, [part(4, blob: 4)]) }
        #expect(try await store.knownBlobs(among: [Fixture.blobID(4)]) == [])
    }
}

extension PartRecord {
    fileprivate var withoutBlob: PartRecord {
        PartRecord(
            number: number, byteCount: byteCount, etag: etag, crc32c: crc32c, checksum: checksum, createdAt: createdAt, blob: nil)
    }
}
