import Core
import Metadata
import Testing

@Suite("Versions that expire") struct ExpiryTests {
    private static let until: Int64 = 1_000

    private func bucket(_ store: SQLiteMetadataStore, _ versioning: Versioning) async throws -> Fixture {
        let bucket = try await store.createBucket(named: "bucket", owner: "o", isLocking: false, documents: [:], at: time(1))
        try await store.setVersioning(versioning, of: bucket.id)
        return Fixture(bucket: bucket)
    }

    private func put(_ store: SQLiteMetadataStore, _ fixture: Fixture, _ number: Int, key: String = "key") async throws -> VersionID {
        try await store.commit(fixture.object(key, version: number, blobs: [number]), condition: .none, repairs: []).version
    }

    private func expire(
        _ store: SQLiteMetadataStore, _ fixture: Fixture, _ kind: ExpiryOrder.Kind, _ version: VersionID, key: String = "key"
    ) async throws -> Bool {
        let order = ExpiryOrder(kind: kind, key: key, version: version, marker: VersionID(uuid: UUIDv7(high: 900, low: 1)))
        return try await store.expire([order], in: fixture.bucket.id, owner: "o", at: time(500)) == [order]
    }

    private func versions(_ store: SQLiteMetadataStore, _ fixture: Fixture) async throws -> [ObjectVersion] {
        try await store.listVersions(ListRequest(limit: 100), after: nil, in: fixture.bucket.id).elements.map(\.version)
    }

    @Test("the latest version goes as if a client had deleted it", arguments: Versioning.allCases)
    func latest(versioning: Versioning) async throws {
        let store = try await openStore()
        let fixture = try await bucket(store, versioning)
        let version = try await put(store, fixture, 1)
        #expect(try await expire(store, fixture, .latest, version))
        let left = try await versions(store, fixture)
        switch versioning {
        case .off: #expect(left == [])
        case .enabled: #expect(left.count == 2)
        case .suspended: #expect(left.count == 1)
        }
        if versioning != .off, case .deleteMarker(let marker)? = left.first { #expect(marker.owner == "o") }
        #expect(try await store.garbageIDs() == (versioning == .enabled ? [] : [Fixture.blobID(1)]))
        #expect(try await !expire(store, fixture, .latest, version), "what is gone does not go again")
    }

    @Test("one that was overwritten since it was looked at stays as it is", arguments: Versioning.allCases)
    func overwritten(versioning: Versioning) async throws {
        let store = try await openStore()
        let fixture = try await bucket(store, versioning)
        let looked = try await put(store, fixture, 1)
        let later = try await put(store, fixture, 2)
        #expect(try await !expire(store, fixture, .latest, looked))
        #expect(try await store.object(in: fixture.bucket.id, key: "key")?.version == later)
        if versioning == .enabled { #expect(try await versions(store, fixture).count == 2) }
    }

    @Test("an older version goes for good, unless it has become the latest")
    func noncurrent() async throws {
        let store = try await openStore()
        let fixture = try await bucket(store, .enabled)
        let first = try await put(store, fixture, 1)
        let second = try await put(store, fixture, 2)
        let third = try await put(store, fixture, 3)
        #expect(try await expire(store, fixture, .noncurrent, second))
        #expect(try await store.garbageIDs() == [Fixture.blobID(2)])
        _ = try await store.delete(
            .named(third), of: "key", in: fixture.bucket.id, marker: third, owner: nil, condition: .none, bypassingGovernance: false,
            at: time(5))
        #expect(try await !expire(store, fixture, .noncurrent, first))
        #expect(try await store.object(in: fixture.bucket.id, key: "key")?.version == first)
    }

    @Test("a delete marker goes when nothing else is left of its key")
    func loneMarker() async throws {
        let store = try await openStore()
        let fixture = try await bucket(store, .enabled)
        let object = try await put(store, fixture, 1)
        #expect(try await !expire(store, fixture, .loneMarker, object))
        let deletion = try await store.delete(
            .latest, of: "key", in: fixture.bucket.id, marker: VersionID(uuid: UUIDv7(high: 5, low: 1)), owner: nil, condition: .none,
            bypassingGovernance: false, at: time(5))
        let marker = try #require(deletion.version?.version)
        #expect(try await !expire(store, fixture, .loneMarker, marker), "something is behind it")
        #expect(try await !expire(store, fixture, .latest, marker), "it is no object")
        #expect(try await expire(store, fixture, .noncurrent, object))
        let later = try await put(store, fixture, 9)
        #expect(try await !expire(store, fixture, .loneMarker, marker), "something has come since")
        _ = try await store.delete(
            .named(later), of: "key", in: fixture.bucket.id, marker: later, owner: nil, condition: .none, bypassingGovernance: false,
            at: time(5))
        #expect(try await expire(store, fixture, .loneMarker, marker))
        #expect(try await versions(store, fixture) == [])
    }

    @Test("what is locked stays, and what stands beside it in the same order goes")
    func locked() async throws {
        let store = try await openStore()
        let fixture = try await bucket(store, .enabled)
        var orders: [ExpiryOrder] = []
        for key in ["a", "b", "c", "d"] {
            let version = try await put(store, fixture, 1 + orders.count, key: key)
            _ = try await put(store, fixture, 50 + orders.count, key: key)
            orders.append(ExpiryOrder(kind: .noncurrent, key: key, version: version, marker: version))
        }
        let changes: [(String, @Sendable (inout ObjectAttributes) -> Void)] = [
            ("a", { $0.isOnLegalHold = true }), ("b", { $0.retention = .init(mode: .governance, until: Self.until) }),
            ("c", { $0.retention = .init(mode: .compliance, until: Self.until) }),
        ]
        for (key, change) in changes {
            let order = try #require(orders.first { $0.key == key })
            #expect(try await store.changeAttributes(of: .named(order.version), of: key, in: fixture.bucket.id, change) != nil)
        }
        #expect(try await store.expire(orders, in: fixture.bucket.id, owner: nil, at: time(Self.until - 1)).map(\.key) == ["d"])
        #expect(try await store.expire(orders, in: fixture.bucket.id, owner: nil, at: time(Self.until)).map(\.key) == ["b", "c"])
    }

    @Test("buckets with a document of a kind are found page by page, others are not")
    func documents() async throws {
        let store = try await openStore()
        for number in 0..<5 {
            let documents: [BucketDocument: String] = number == 2 ? [.cors: "no"] : [.lifecycle: "rules \(number)", .policy: "p"]
            _ = try await store.createBucket(named: "bucket\(number)", owner: nil, isLocking: false, documents: documents, at: time(1))
        }
        var found: [String] = []
        var position: BucketID?
        while case let page = try await store.documents(.lifecycle, after: position, limit: 2), let last = page.last {
            #expect(page.count <= 2)
            found += page.map { "\($0.bucket.name) \($0.text)" }
            position = last.bucket.id
        }
        #expect(found == [0, 1, 3, 4].map { "bucket\($0) rules \($0)" })
    }
}
