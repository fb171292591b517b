import Core
import Metadata
import Testing

@Suite struct VersionTests {
    private func bucket(_ store: SQLiteMetadataStore, _ versioning: Versioning) async throws -> Fixture {
        let bucket = try await store.createBucket(named: "bucket", owner: "o", isLocking: false, documents: [:], at: time(1))
        try await store.setVersioning(versioning, of: bucket.id)
        return Fixture(bucket: bucket)
    }

    private func names(_ store: SQLiteMetadataStore, _ fixture: Fixture) async throws -> [VersionID] {
        try await store.listVersions(ListRequest(limit: 1_000), after: nil, in: fixture.bucket.id).elements.map(\.version.name)
    }

    @Test("of concurrent writers of one key every version is kept, and they are listed in the order in which they were committed")
    func concurrentWriters() async throws {
        let directory = try TemporaryDirectory()
        let store = try await openStore(directory.database, executor: ThreadPoolExecutor(threadCount: 3))
        let fixture = try await bucket(store, .enabled)
        let committed = try await withThrowingTaskGroup(of: VersionID.self) { group in
            for number in 0..<40 {
                group.addTask {
                    // All in one millisecond, and by clocks that disagree.
                    let object = fixture.object("key", version: number % 4, blobs: [number, 100 + number])
                    let committed = try await store.commit(object, condition: .none, repairs: [])
                    let read = try await store.version(.named(committed.version), of: "key", in: fixture.bucket.id)
                    guard case .object(let found)? = read else { throw MetadataError.noSuchKey }
                    #expect(found.blobs == object.blobs)
                    return committed.version
                }
            }
            return try await group.reduce(into: []) { $0.append($1) }
        }
        let listed = try await names(store, fixture)
        #expect(listed == committed.sorted(by: >))
        #expect(Set(listed).count == 40)
        #expect(try await store.object(in: fixture.bucket.id, key: "key")?.version == listed.first)
        #expect(try await store.garbageIDs() == [])
        await store.close()
    }

    @Test("who commits last is the latest, though its name be older; also after a deletion")
    func order() async throws {
        let store = try await openStore()
        let fixture = try await bucket(store, .enabled)
        var made: [VersionID] = []
        for version in [5, 5, 3, 9, 1] {
            made.append(try await store.commit(fixture.object("key", version: version, blobs: []), condition: .none, repairs: []).version)
        }
        let marker = try await store.delete(
            .latest, of: "key", in: fixture.bucket.id, marker: VersionID(uuid: UUIDv7(high: 2, low: 2)), owner: nil, condition: .none,
            bypassingGovernance: false, at: time(1))
        made.append(try #require(marker.version?.version))
        made.append(try await store.commit(fixture.object("key", version: 1, blobs: []), condition: .none, repairs: []).version)
        #expect(try await names(store, fixture) == made.reversed())
        #expect(made[0] == fixture.object("key", version: 5, blobs: []).version)
    }

    @Test("a condition is looked at when it counts, and what fails changes nothing", arguments: Versioning.allCases)
    func conditions(versioning: Versioning) async throws {
        let store = try await openStore()
        let fixture = try await bucket(store, versioning)
        func put(_ version: Int, _ condition: WriteCondition) async throws {
            _ = try await store.commit(fixture.object("key", version: version, blobs: [version]), condition: condition, repairs: [])
        }
        await #expect(throws: MetadataError.noSuchKey) { try await put(1, WriteCondition(ifMatch: .any)) }
        await #expect(throws: MetadataError.noSuchKey) { try await put(1, WriteCondition(ifMatch: .etags(["e1"]))) }
        try await put(1, WriteCondition(ifNoneMatch: .any))
        await #expect(throws: MetadataError.preconditionFailed) { try await put(2, WriteCondition(ifNoneMatch: .any)) }
        await #expect(throws: MetadataError.preconditionFailed) { try await put(2, WriteCondition(ifNoneMatch: .etags(["x", "e1"]))) }
        await #expect(throws: MetadataError.preconditionFailed) { try await put(2, WriteCondition(ifMatch: .etags(["e2"]))) }
        #expect(try await store.knownBlobs(among: [Fixture.blobID(2)]) == [])
        try await put(2, WriteCondition(ifMatch: .etags(["e1"])))
        try await put(3, WriteCondition(ifMatch: .any, ifNoneMatch: .etags(["e1"])))
        #expect(try await store.object(in: fixture.bucket.id, key: "key")?.etag == "e3")
    }

    @Test("a deletion is done only when its condition holds")
    func conditionsOfDeletions() async throws {
        let store = try await openStore()
        let fixture = try await bucket(store, .enabled)
        func delete(_ selector: VersionSelector, _ condition: WriteCondition) async throws -> Deletion {
            try await store.delete(
                selector, of: "key", in: fixture.bucket.id, marker: VersionID(uuid: UUIDv7(high: 9, low: 9)), owner: nil,
                condition: condition, bypassingGovernance: false, at: time(9))
        }
        let absent = VersionSelector.named(VersionID(uuid: UUIDv7(high: 8, low: 8)))
        for selector in [VersionSelector.latest, .null, absent] {
            await #expect(throws: MetadataError.noSuchKey) { try await delete(selector, WriteCondition(ifMatch: .any)) }
        }
        #expect(try await names(store, fixture) == [])
        let object = fixture.object("key", version: 1_999, blobs: [1])
        try await store.commit(object, repairs: [])
        let failing = [
            WriteCondition(ifMatch: .etags(["e1"])), WriteCondition(byteCount: 99), WriteCondition(createdAt: time(2_000)),
        ]
        for selector in [VersionSelector.latest, .named(object.version)] {
            for condition in failing {
                await #expect(throws: MetadataError.preconditionFailed) { try await delete(selector, condition) }
            }
        }
        // To the second.
        let holding = WriteCondition(ifMatch: .etags(["e1999"]), byteCount: 100, createdAt: time(1_000))
        #expect(try await delete(.latest, holding).isDeleteMarker)
        // The latest is a delete marker now.
        for condition in failing {
            await #expect(throws: MetadataError.preconditionFailed) { try await delete(.latest, condition) }
        }
        await #expect(throws: MetadataError.noSuchKey) { try await delete(.latest, WriteCondition(ifMatch: .any)) }
        #expect(try await names(store, fixture).count == 2)
        #expect(try await delete(.named(object.version), holding).isDeleteMarker == false)
        #expect(try await store.garbageIDs() == [Fixture.blobID(1)])
    }

    private func lock(
        _ store: SQLiteMetadataStore, _ fixture: Fixture, _ selector: VersionSelector,
        _ change: @escaping @Sendable (inout ObjectAttributes) -> Void
    ) async throws {
        #expect(try await store.changeAttributes(of: selector, of: "key", in: fixture.bucket.id, change) != nil)
    }

    @Test("a locked version is not deleted by its name; a delete marker over it is made, and removed")
    func protection() async throws {
        let store = try await openStore()
        let fixture = try await bucket(store, .enabled)
        let version = try await store.commit(fixture.object("key", version: 1, blobs: [1]), condition: .none, repairs: []).version
        func delete(_ selector: VersionSelector, bypassing: Bool = false, at milliseconds: Int64 = 50) async throws -> Deletion {
            try await store.delete(
                selector, of: "key", in: fixture.bucket.id, marker: VersionID(uuid: UUIDv7(high: 9, low: 9)), owner: nil, condition: .none,
                bypassingGovernance: bypassing, at: time(milliseconds))
        }
        try await lock(store, fixture, .latest) { $0.isOnLegalHold = true }
        await #expect(throws: MetadataError.protected) { try await delete(.named(version), bypassing: true) }
        let marker = try #require(try await delete(.latest).version)
        #expect(try await delete(.named(marker.version)).isDeleteMarker)
        #expect(try await store.object(in: fixture.bucket.id, key: "key")?.version == version)
        try await lock(store, fixture, .named(version)) {
            $0.isOnLegalHold = false
            $0.retention = .init(mode: .compliance, until: 100)
        }
        await #expect(throws: MetadataError.protected) { try await delete(.named(version), bypassing: true) }
        try await lock(store, fixture, .named(version)) { $0.retention = .init(mode: .governance, until: 100) }
        await #expect(throws: MetadataError.protected) { try await delete(.named(version)) }
        await #expect(throws: MetadataError.bucketNotEmpty) { try await store.deleteBucket(fixture.bucket.id, at: time(1)) }
        #expect(try await store.garbageIDs() == [])
        #expect(try await delete(.named(version), at: 100).version?.version == version)
        #expect(try await store.garbageIDs() == [Fixture.blobID(1)])
    }

    @Test("with versioning suspended, a locked null version is neither overwritten nor deleted", arguments: [true, false])
    func protectedNull(isLatest: Bool) async throws {
        let store = try await openStore()
        let fixture = try await bucket(store, .off)
        try await store.commit(fixture.object("key", version: 1, blobs: [1]), repairs: [])
        try await lock(store, fixture, .null) { $0.isOnLegalHold = true }
        try await store.setVersioning(.enabled, of: fixture.bucket.id)
        if !isLatest { try await store.commit(fixture.object("key", version: 2, blobs: [2]), repairs: []) }
        try await store.setVersioning(.suspended, of: fixture.bucket.id)
        let before = try await names(store, fixture)
        await #expect(throws: MetadataError.protected) {
            try await store.commit(fixture.object("key", version: 3, blobs: [3]), repairs: [])
        }
        await #expect(throws: MetadataError.protected) {
            try await store.delete(
                .latest, of: "key", in: fixture.bucket.id, marker: VersionID(uuid: UUIDv7(high: 9, low: 9)), owner: nil, condition: .none,
                bypassingGovernance: true, at: time(9))
        }
        #expect(try await names(store, fixture) == before)
        #expect(try await store.garbageIDs() == [])
    }

    private struct Refusal: Error, Equatable {}

    @Test("attributes come back as they were given, and whoever refuses to change them says why")
    func attributes() async throws {
        let store = try await openStore()
        let fixture = try await bucket(store, .enabled)
        var attributes = ObjectAttributes()
        attributes.owner = "nul\0 \u{1F600}"
        attributes.tags = [.init(key: "k", value: ""), .init(key: "a", value: "\"\n")]
        attributes.checksum = .init(algorithm: "SHA256", value: "x=-3", kind: .composite)
        attributes.encryption = .init(mode: .named, keyName: "key", wrappedKey: "w", parts: "1-2")
        attributes.retention = .init(mode: .compliance, until: 4_000_000_000_000)
        let plain = fixture.object("key", version: 1, blobs: [1, 2])
        // Encrypted: the blobs have more bytes than the object.
        let object = ObjectRecord(
            bucket: plain.bucket, key: plain.key, version: plain.version, isNullVersion: false, byteCount: 7, fileName: nil,
            contentType: "a/b", etag: "e", crc32c: nil, createdAt: time(1), userMetadata: [:], attributes: attributes, blobs: plain.blobs)
        try await store.commit(object, repairs: [])
        #expect(try await store.object(in: fixture.bucket.id, key: "key") == object)
        #expect(try await store.version(.latest, of: "key", in: fixture.bucket.id) == .object(object))
        await #expect(throws: Refusal()) {
            _ = try await store.changeAttributes(of: .latest, of: "key", in: fixture.bucket.id) {
                $0.tags = nil
                throw Refusal()
            }
        }
        #expect(try await store.object(in: fixture.bucket.id, key: "key") == object)
        #expect(try await store.changeAttributes(of: .null, of: "key", in: fixture.bucket.id) { $0.tags = nil } == nil)
        let changed = try await store.changeAttributes(of: .latest, of: "key", in: fixture.bucket.id) { $0.tags = nil }
        attributes.tags = nil
        #expect(changed?.attributes == attributes)
        #expect(changed?.blobs == object.blobs)
    }
}

extension ObjectVersion {
    fileprivate var name: VersionID {
        switch self {
        case .object(let object): object.version
        case .deleteMarker(let marker): marker.version
        }
    }
}
