import Core
import Metadata
import Testing

@Suite struct ListingTests {
    /// Rows written by SQL: tens of thousands in a moment.
    private func store(hiding count: Int) async throws -> (store: SQLiteMetadataStore, bucket: BucketID) {
        let store = try await openStore()
        let bucket = try await store.createBucket(named: "bucket", owner: "o", isLocking: false, documents: [:], at: time(1)).id
        let values = "zeroblob(16), 0, x'', '', 0, 0"
        let columns = "bucket, name, version, byte_count, content_type, etag, created_at, blob_count"
        func insert(_ name: String, count: Int) async throws {
            try await store.execute(
                sql: """
                    INSERT INTO objects (\(columns))
                    WITH RECURSIVE number (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM number WHERE n < \(count))
                    SELECT \(bucket.value), CAST(\(name) AS BLOB), \(values) FROM number
                    """)
        }
        try await insert("'a'", count: 1)
        try await insert("'b/' || printf('%08d', n)", count: count)
        try await insert("'c' || printf('%02d', n) || '/x'", count: 20)
        try await insert("'d'", count: 1)
        // As many older versions, of one hidden key.
        try await store.execute(
            sql: """
                INSERT INTO object_versions (\(columns), is_null_version, is_delete_marker)
                WITH RECURSIVE number (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM number WHERE n < \(count))
                SELECT \(bucket.value), CAST('b/00000001' AS BLOB), CAST(printf('%016d', n) AS BLOB), 0, x'', '', 0, 0, 0, 0 FROM number
                """)
        return (store, bucket)
    }

    @Test("a page costs as much as it shows, however many keys and versions a common prefix hides", arguments: [10, 50_000])
    func hiddenKeys(count: Int) async throws {
        let (store, bucket) = try await store(hiding: count)
        func cost(_ list: () async throws -> Void) async throws -> Int {
            let before = store.listedRowCount
            try await list()
            return store.listedRowCount - before
        }
        let request = ListRequest(delimiter: "/", limit: 10)
        let first = try await cost {
            let page = try await store.list(request, in: bucket)
            #expect(page.elements.map(\.key) == ["a"])
            #expect(page.commonPrefixes == ["b/"] + (1...8).map { "c0\($0)/" })
            #expect(page.next == "c08/")
        }
        #expect(first <= 25)
        let versions = try await cost {
            let page = try await store.listVersions(request, after: nil, in: bucket)
            #expect(page.elements.map(\.version.key) == ["a"])
            #expect(page.commonPrefixes == ["b/"] + (1...8).map { "c0\($0)/" })
        }
        #expect(versions <= 50)
        let later = try await cost {
            let page = try await store.list(ListRequest(delimiter: "/", after: "b/00000003", limit: 2), in: bucket)
            #expect(page.commonPrefixes == ["c01/", "c02/"])
        }
        #expect(later <= 6)
        let within = try await cost {
            let page = try await store.listVersions(ListRequest(prefix: "b/", limit: 5), after: nil, in: bucket)
            #expect(page.elements.count == 5)
            #expect(page.elements.map(\.isLatest) == [true, false, false, false, false])
            #expect(page.next == "b/00000001")
        }
        #expect(within <= 12)
        let plain = try await cost {
            let page = try await store.list(ListRequest(prefix: "b/", after: "b/00000004", limit: 5), in: bucket)
            #expect(page.elements.first?.key == "b/00000005")
        }
        #expect(plain <= 12)
    }

    @Test("a page goes on behind a version that has been deleted since, and begins a key anew whose null version is gone")
    func versionsGone() async throws {
        let store = try await openStore()
        let bucket = try await store.createBucket(named: "bucket", owner: "o", isLocking: false, documents: [:], at: time(1))
        let fixture = Fixture(bucket: bucket)
        try await store.commit(fixture.object("k", version: 1, blobs: []), repairs: [])
        try await store.setVersioning(.enabled, of: bucket.id)
        for version in 2...4 { try await store.commit(fixture.object("k", version: version, blobs: []), repairs: []) }
        func delete(_ selector: VersionSelector) async throws {
            _ = try await store.delete(
                selector, of: "k", in: bucket.id, marker: fixture.object("k", version: 9, blobs: []).version, owner: nil, condition: .none,
                bypassingGovernance: false, at: time(9))
        }
        func behind(_ selector: VersionSelector) async throws -> [ListedVersion] {
            try await store.listVersions(ListRequest(after: "k", limit: 10), after: selector, in: bucket.id).elements
        }
        let latest = VersionSelector.named(fixture.object("k", version: 4, blobs: []).version)
        #expect(try await behind(.latest).count == 3)
        #expect(try await behind(latest).map(\.isLatest) == [false, false, false])
        #expect(try await behind(.null).isEmpty)
        try await delete(latest)
        // What was behind it is the latest now, and has not been shown.
        #expect(try await behind(latest).map(\.isLatest) == [true, false, false])
        try await delete(.null)
        #expect(try await behind(.null).count == 2)
    }

    @Test("uploads are listed by key, then in the order in which they began, on pages of any size", arguments: [1, 2, 3, 100])
    func uploads(pageSize: Int) async throws {
        let store = try await openStore()
        let bucket = try await store.createBucket(named: "bucket", owner: "o", isLocking: false, documents: [:], at: time(1)).id
        var expected: [String] = []
        for (index, key) in ["a", "a/1", "a/2", "b", "c/x"].enumerated() {
            for number in 0..<3 {
                let id = UploadID(uuid: UUIDv7(high: UInt64(number), low: UInt64(index)))
                try await store.createUpload(
                    UploadRecord(
                        id: id, bucket: bucket, key: key, contentType: "a/b", userMetadata: ["k": "v"], attributes: ObjectAttributes(),
                        createdAt: time(1)))
                if !key.contains("/") { expected.append("\(key) \(number)") }
            }
        }
        var request = ListRequest(delimiter: "/", limit: pageSize)
        var listed: [String] = []
        var prefixes: [String] = []
        var after: UploadID?
        repeat {
            let page = try await store.uploads(request, after: after, in: bucket)
            #expect(page.elements.count + page.commonPrefixes.count <= pageSize)
            listed += page.elements.map { "\($0.key) \($0.id.uuid.high)" }
            prefixes += page.commonPrefixes
            request.after = page.next
            after = page.next == page.elements.last?.key ? page.elements.last?.id : nil
        } while request.after != nil
        #expect(listed == expected)
        #expect(prefixes == ["a/", "c/"])
        #expect(try await store.uploads(ListRequest(after: "a", limit: 100), after: nil, in: bucket).elements.count == 12)
    }
}
