import Core
import Metadata
import Testing

@Suite struct BucketTests {
    @Test("a bucket is described with all of its documents, and has no more once it is deleted")
    func documents() async throws {
        let store = try await openStore()
        let bucket = try await store.createBucket(
            named: "one", owner: "o\0", isLocking: true, documents: [.accessControl: "<a/>", .tagging: "t\0t"], at: time(5))
        #expect(bucket.versioning == .enabled)
        #expect(try await store.bucket(named: "one") == bucket)
        let description = BucketDescription(bucket: bucket, documents: [.accessControl: "<a/>", .tagging: "t\0t"])
        #expect(try await store.describeBucket(named: "one") == description)
        try await store.setDocument(.accessControl, of: bucket.id, to: "<b/>")
        try await store.setDocument(.policy, of: bucket.id, to: "{}")
        try await store.setDocument(.tagging, of: bucket.id, to: nil)
        try await store.setDocument(.cors, of: bucket.id, to: nil)
        #expect(try await store.describeBucket(named: "one")?.documents == [.accessControl: "<b/>", .policy: "{}"])
        #expect(try await store.describeBucket(named: "two") == nil)
        await #expect(throws: MetadataError.self) {
            _ = try await store.createBucket(named: "one", owner: "x", isLocking: false, documents: [:], at: time(6))
        }
        try await store.deleteBucket(bucket.id, at: time(7))
        #expect(try await store.describeBucket(named: "one") == nil)
        let gone = MetadataError.noSuchBucket(bucket.id)
        await #expect(throws: gone) { try await store.deleteBucket(bucket.id, at: time(8)) }
        await #expect(throws: gone) { try await store.setDocument(.policy, of: bucket.id, to: "{}") }
        await #expect(throws: gone) { try await store.setVersioning(.enabled, of: bucket.id) }
        await #expect(throws: gone) { try await store.enableLocking(of: bucket.id) }
        // What was on its way to the old one must not come to the new one.
        let next = try await store.createBucket(named: "one", owner: "o", isLocking: false, documents: [:], at: time(9))
        #expect(next.id != bucket.id)
        #expect(try await store.describeBucket(named: "one") == BucketDescription(bucket: next, documents: [:]))
    }

    @Test("versioning that was on is never off again, and a bucket that locks keeps it enabled")
    func versioning() async throws {
        let store = try await openStore()
        let bucket = try await store.createBucket(named: "one", owner: "o", isLocking: false, documents: [:], at: time(5)).id
        try await store.setVersioning(.off, of: bucket)
        try await store.setVersioning(.suspended, of: bucket)
        #expect(try await store.bucket(named: "one")?.versioning == .suspended)
        await #expect(throws: MetadataError.self) { try await store.setVersioning(.off, of: bucket) }
        try await store.enableLocking(of: bucket)
        #expect(try await store.bucket(named: "one")?.versioning == .enabled)
        #expect(try await store.bucket(named: "one")?.isLocking == true)
        for versioning in [Versioning.off, .suspended] {
            await #expect(throws: MetadataError.self) { try await store.setVersioning(versioning, of: bucket) }
        }
        try await store.setVersioning(.enabled, of: bucket)
    }

    @Test("buckets are listed in byte order, by owner and prefix, on pages")
    func listing() async throws {
        let store = try await openStore()
        _ = try await store.ensureBucket(named: "files", at: time(1))
        for (name, owner) in [("b", "x"), ("a.1", "x"), ("a", "y"), ("a.2", "x"), ("c", "x")] {
            _ = try await store.createBucket(named: name, owner: owner, isLocking: false, documents: [:], at: time(1))
        }
        func names(_ owner: BucketOwner, prefix: String = "", after: String? = nil, limit: Int = 100) async throws -> [String] {
            try await store.buckets(ownedBy: owner, prefix: prefix, after: after, limit: limit).map(\.name)
        }
        #expect(try await names(.anyone) == ["a", "a.1", "a.2", "b", "c", "files"])
        #expect(try await names(.account("x")) == ["a.1", "a.2", "b", "c"])
        #expect(try await names(.account("x"), limit: 2) == ["a.1", "a.2"])
        #expect(try await names(.account("x"), after: "a.2", limit: 2) == ["b", "c"])
        #expect(try await names(.account("x"), prefix: "a.") == ["a.1", "a.2"])
        #expect(try await names(.account("x"), prefix: "a.", after: "a.1") == ["a.2"])
        #expect(try await names(.anyone, limit: 0) == [])
        #expect(try await names(.account("z")) == [])
        #expect(try await names(.root) == ["files"])
    }

    @Test("a bucket with an object, an older version or a delete marker stays")
    func notEmpty() async throws {
        let store = try await openStore()
        let bucket = try await store.createBucket(named: "one", owner: "o", isLocking: false, documents: [.policy: "{}"], at: time(5))
        let fixture = Fixture(bucket: bucket)
        try await store.setVersioning(.enabled, of: bucket.id)
        try await store.commit(fixture.object("key", version: 1, blobs: [1]), repairs: [])
        func refuses() async {
            await #expect(throws: MetadataError.bucketNotEmpty) { try await store.deleteBucket(bucket.id, at: time(6)) }
        }
        func delete(_ selector: VersionSelector) async throws -> Deletion {
            try await store.delete(
                selector, of: "key", in: bucket.id, marker: fixture.object("key", version: 2, blobs: []).version, owner: nil,
                condition: .none, bypassingGovernance: false, at: time(6))
        }
        await refuses()
        let marker = try #require(try await delete(.latest).version?.version)
        await refuses()
        _ = try await delete(.named(fixture.object("key", version: 1, blobs: []).version))
        await refuses()
        _ = try await delete(.named(marker))
        #expect(try await store.describeBucket(named: "one")?.documents == [.policy: "{}"])
        try await store.deleteBucket(bucket.id, at: time(6))
    }

    @Test("accounts and keys: names are taken once, a key comes with its account")
    func accounts() async throws {
        let store = try await openStore()
        let one = AccountRecord(id: "one$", displayName: "M. Ö\0", email: "a@b", tenant: "t", createdAt: time(1))
        let two = AccountRecord(id: "two", displayName: "", email: nil, tenant: nil, createdAt: time(2))
        let three = AccountRecord(id: "three", displayName: "", email: nil, tenant: nil, createdAt: time(3))
        for account in [two, one, three] { try await store.createAccount(account) }
        #expect(try await store.accounts() == [one, three, two])
        #expect(try await store.account("one$") == one)
        #expect(try await store.account("none") == nil)
        #expect(try await store.account(email: "a@b") == one)
        #expect(try await store.account(email: "") == nil)
        for taken in [one, AccountRecord(id: "four", displayName: "", email: "a@b", tenant: nil, createdAt: time(4))] {
            await #expect(throws: MetadataError.self) { try await store.createAccount(taken) }
        }
        var key = AccessKeyRecord(accessKey: "AK", secretKey: "s/+=", account: "one$", createdAt: time(5))
        let other = AccessKeyRecord(accessKey: "B", secretKey: "s", account: "two", isEnabled: false, createdAt: time(5))
        try await store.createAccessKey(other)
        try await store.createAccessKey(key)
        await #expect(throws: MetadataError.self) { try await store.createAccessKey(key) }
        await #expect(throws: MetadataError.noSuchAccount("none")) {
            try await store.createAccessKey(AccessKeyRecord(accessKey: "C", secretKey: "s", account: "none", createdAt: time(5)))
        }
        #expect(try await store.accessKeys(of: nil) == [key, other])
        #expect(try await store.accessKeys(of: "two") == [other])
        let found = try #require(try await store.accessKey("AK"))
        #expect(found.key == key)
        #expect(found.account == one)
        #expect(try await store.accessKey("ak") == nil)
        #expect(try await store.setAccessKey("AK", enabled: false))
        key.isEnabled = false
        #expect(try await store.accessKey("AK")?.key == key)
        #expect(try await store.deleteAccessKey("AK"))
        #expect(try await !store.deleteAccessKey("AK"))
        #expect(try await !store.setAccessKey("AK", enabled: true))
        #expect(try await store.accessKeys(of: "one$") == [])
    }

    @Test("a database of before versions keeps all that it had")
    func migration() async throws {
        let directory = try TemporaryDirectory()
        func hex(_ data: some Sequence<UInt8>) -> String { "x'" + hexadecimal(data) + "'" }
        let fixture = Fixture(bucket: BucketRecord(id: BucketID(value: 7), name: "files", createdAt: time(3)))
        let (one, many) = (fixture.object("one", version: 1, blobs: [1]), fixture.object("many", version: 2, blobs: [2, 3]))
        let objects = [one, many].map { object in
            """
            INSERT INTO objects (bucket, name, version, byte_count, file_name, content_type, etag, crc32c, created_at, user_metadata, blob,
                blob_count) VALUES (7, \(hex(object.key.utf8)), \(hex(object.version.uuid.bytes)), \(object.byteCount),
                \(hex(object.fileName?.utf8 ?? "".utf8)), \(hex(object.contentType.utf8)), '\(object.etag)', \(object.crc32c ?? 0),
                \(object.createdAt.millisecondsSince1970), '{"version":"\(object.crc32c ?? 0)"}',
                \(object.blobs.count == 1 ? hex(object.blobs[0].id.uuid.bytes) : "NULL"), \(object.blobs.count));
            """
        }
        let blobs = (1...3).map { "INSERT INTO blobs VALUES (\(hex(Fixture.blobID($0).uuid.bytes)), 100, 8388608, 3, 'replicated-3', 1);" }
        let listed = many.blobs.enumerated().map {
            "INSERT INTO object_blobs VALUES (\(hex(many.version.uuid.bytes)), \($0.offset), \(hex($0.element.id.uuid.bytes)));"
        }
        let rest = """
            INSERT INTO buckets (id, name, created_at) VALUES (7, \(hex("files".utf8)), 3);
            INSERT INTO multipart_parts VALUES (\(hex(UUIDv7(high: 1, low: 1).bytes)), 1, \(hex(Fixture.blobID(1).uuid.bytes)), 100, 'e', 1, 2);
            UPDATE counters SET value = 2 WHERE name = 'objects';
            UPDATE counters SET value = 300 WHERE name = 'bytes';
            """
        try SQLiteMetadataStore.makeDatabase(
            at: directory.database, upTo: "0004-leases", rows: (objects + blobs + listed + [rest]).joined(separator: "\n"))

        let store = try await openStore(directory.database)
        #expect(try await store.bucket(named: "files") == fixture.bucket)
        #expect(try await store.objects(in: fixture.bucket.id, after: nil, limit: 9) == [many, one])
        #expect(try await store.totals() == MetadataTotals(objectCount: 2, byteCount: 300))
        #expect(try await store.parts(of: UploadID(uuid: UUIDv7(high: 1, low: 1)), after: 0, limit: 9).map(\.blob) == [Fixture.blob(1)])
        let other = try await store.ensureBucket(named: "other", at: time(4))
        #expect(other.id == BucketID(value: 8))
        try await store.setVersioning(.enabled, of: fixture.bucket.id)
        try await store.commit(fixture.object("many", version: 5, blobs: [5]), repairs: [])
        #expect(try await store.version(.null, of: "many", in: fixture.bucket.id) == .object(many))
        #expect(try await store.garbageIDs() == [])
        await store.close()
    }
}
