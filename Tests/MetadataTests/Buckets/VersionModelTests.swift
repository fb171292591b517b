import Core
import Metadata
import Testing

@Suite struct VersionModelTests {
    @Test("versions, listings, counters and references are those of a model in memory, through random histories", arguments: UInt64(0)..<16)
    func random(seed: UInt64) async throws {
        let store = try await openStore()
        let bucket = try await store.createBucket(named: "bucket", owner: "o", isLocking: false, documents: [:], at: time(1))
        var history = History(store: store, bucket: bucket.id, random: SeededRandom(seed: seed), seed: seed)
        for step in 1...120 { try await history.step(step) }
        try await history.end()
    }
}

/// A random history of one bucket, done to a store and to a model.
private struct History {
    let store: SQLiteMetadataStore
    let bucket: BucketID
    let random: SeededRandom
    let seed: UInt64
    private var model = VersionModel()
    private var nextBlob = 1
    private var now = time(0)
    private var place: Comment = ""

    init(store: SQLiteMetadataStore, bucket: BucketID, random: SeededRandom, seed: UInt64) {
        self.store = store
        self.bucket = bucket
        self.random = random
        self.seed = seed
    }

    private static let keys = ["", "a", "a/", "a/b", "a/c//", "a/c/d", "ab", "b", "é", "e\u{301}", "z\0", "z\0/y"]
    private func oneOf<Value>(_ values: [Value]) -> Value { values[random.next(in: 0..<values.count)] }
    private func chance(_ of: Int) -> Bool { random.next(in: 0..<of) == 0 }
    private func freshBlobs(_ count: Int) -> [Int] { (0..<count).map { nextBlob + $0 } }

    mutating func step(_ number: Int) async throws {
        now = time(Int64(number))
        place = "seed \(seed), step \(number)"
        switch random.next(in: 0..<12) {
        case 0...3: try await put(number)
        case 4: try await putParts(number)
        case 5...6: try await deleteLatest(number)
        case 7...9: try await deleteVersion(number)
        case 10: try await setAttributes(number)
        default: try await changeVersioning()
        }
        try await compare()
    }

    /// Names as of clocks that disagree.
    private func version(_ number: Int) -> VersionID {
        VersionID(uuid: UUIDv7(high: UInt64(random.next(in: 1..<20)), low: UInt64(number) << 32))
    }

    private func object(_ key: String, _ number: Int, version: VersionID, isNull: Bool, blobs: [BlobRecord]) -> ObjectRecord {
        var attributes = ObjectAttributes()
        if number % 3 == 0 { attributes.owner = "owner of \(number)" }
        return ObjectRecord(
            bucket: bucket, key: key, version: version, isNullVersion: isNull, byteCount: blobs.reduce(0) { $0 + $1.byteCount },
            fileName: nil, contentType: "text/plain", etag: "e\(number % 4)", crc32c: nil, createdAt: now, userMetadata: [:],
            attributes: attributes, blobs: blobs)
    }

    private func renamed(_ object: ObjectRecord, _ committed: CommittedVersion) -> ObjectRecord {
        ObjectRecord(
            bucket: bucket, key: object.key, version: committed.version, isNullVersion: committed.isNullVersion,
            byteCount: object.byteCount, fileName: nil, contentType: object.contentType, etag: object.etag, crc32c: nil,
            createdAt: object.createdAt, userMetadata: [:], attributes: object.attributes, blobs: object.blobs)
    }

    private func condition() -> WriteCondition {
        guard chance(3) else { return .none }
        let match = chance(2) ? WriteCondition.Match.any : .etags(["e1", "e2"])
        return chance(2) ? WriteCondition(ifMatch: match) : WriteCondition(ifNoneMatch: match)
    }

    private func refusal(_ condition: WriteCondition, _ key: String) -> MetadataError? {
        let etag = model.latestObject(of: key)?.etag
        switch (condition.ifMatch, condition.ifNoneMatch, etag) {
        case (.some, _, nil): return .noSuchKey
        case (.etags(let etags)?, _, let etag?) where !etags.contains(etag): return .preconditionFailed
        case (_, .any?, .some): return .preconditionFailed
        case (_, .etags(let etags)?, let etag?) where etags.contains(etag): return .preconditionFailed
        default: return nil
        }
    }

    private mutating func put(_ number: Int) async throws {
        let key = oneOf(Self.keys)
        var numbers = freshBlobs(random.next(in: 0..<3))
        // Now and then a copy: it shares a blob.
        if chance(4), let shared = model.referenced.min() { numbers.append(Int(shared.uuid.high)) }
        let condition = condition()
        let object = object(key, number, version: version(number), isNull: true, blobs: numbers.map { Fixture.blob($0) })
        let refusal = refusal(condition, key)
        let committed = try await catching(refusal) { try await store.commit(object, condition: condition, repairs: []) }
        guard let committed else { return }
        nextBlob += numbers.count
        note(committed, object)
    }

    private mutating func note(_ committed: CommittedVersion, _ object: ObjectRecord) {
        #expect(committed.versioning == model.versioning, place)
        #expect(committed.isNullVersion == (model.versioning != .enabled), place)
        let kept = model.versions(of: object.key).filter { model.versioning == .enabled || !$0.isNull }
        #expect(kept.allSatisfy { $0.name < committed.version }, place)
        model.put(renamed(object, committed))
    }

    private mutating func putParts(_ number: Int) async throws {
        let key = oneOf(Self.keys)
        let id = UploadID(uuid: UUIDv7(high: UInt64(number), low: seed))
        try await store.createUpload(
            UploadRecord(
                id: id, bucket: bucket, key: key, contentType: "text/plain", userMetadata: [:], attributes: ObjectAttributes(),
                createdAt: now))
        var stored: [Int: PartRecord] = [:]
        for _ in 0..<random.next(in: 1..<6) {
            let blob = chance(5) ? nil : Fixture.blob(nextBlob)
            nextBlob += 1
            let part = PartRecord(
                number: random.next(in: 1..<5), byteCount: blob?.byteCount ?? 0, etag: "p\(nextBlob)", crc32c: 1, checksum: "c=",
                createdAt: now, blob: blob)
            try await store.putPart(part, of: id, repairs: [])
            model.note([blob].compactMap { $0 })
            stored[part.number] = part
        }
        let all = stored.values.sorted { $0.number < $1.number }
        #expect(try await store.parts(of: id, after: 0, limit: 100) == all, place)
        if chance(4) {
            #expect(try await store.abortUpload(id, at: now), place)
            return
        }
        let chosen = all.filter { _ in !chance(4) }
        let object = object(key, number, version: version(number), isNull: true, blobs: chosen.compactMap(\.blob))
        let committed = try await store.completeUpload(id, as: object, parts: chosen, partsDigest: "d", condition: .none)
        note(committed, object)
        let parts = try await store.parts(ofVersion: committed.version, after: 0, limit: 100)
        #expect(parts.map(\.number) == chosen.map(\.number), place)
    }

    private mutating func deleteLatest(_ number: Int) async throws {
        let key = oneOf(Self.keys)
        let name = version(number)
        let latest = model.versions(of: key).first
        let deletion = try await store.delete(
            .latest, of: key, in: bucket, marker: name, owner: "d", condition: .none, bypassingGovernance: false, at: now)
        guard model.versioning != .off else {
            #expect(deletion.version?.version == latest?.name, place)
            #expect(!deletion.isDeleteMarker, place)
            if let latest { model.remove(latest.name, of: key) }
            return
        }
        let made = try #require(deletion.version)
        #expect(deletion.isDeleteMarker, place)
        #expect(made.isNullVersion == (model.versioning == .suspended), place)
        model.mark(key, name: made.version, at: now, owner: "d")
    }

    private mutating func deleteVersion(_ number: Int) async throws {
        let key = model.versions.isEmpty || chance(6) ? oneOf(Self.keys) : try oneOf(existingKeys())
        let versions = model.versions(of: key)
        var selector = VersionSelector.null
        var chosen = versions.first(where: \.isNull)
        if !versions.isEmpty && !chance(4) {
            chosen = oneOf(versions)
            selector = .named(chosen?.name ?? version(number))
        }
        let deletion = try await store.delete(
            selector, of: key, in: bucket, marker: version(number), owner: nil, condition: .none, bypassingGovernance: false, at: now)
        #expect(deletion.version?.version == chosen?.name, place)
        #expect(deletion.isDeleteMarker == (chosen.map { $0.object == nil } ?? false), place)
        if let chosen { model.remove(chosen.name, of: key) }
    }

    private func existingKeys() throws -> [String] {
        let keys = model.versions.keys.sorted { $0.lexicographicallyPrecedes($1) }
        return try keys.map { try #require(String(validating: $0, as: UTF8.self)) }
    }

    private mutating func setAttributes(_ number: Int) async throws {
        let key = oneOf(Self.keys)
        let versions = model.versions(of: key)
        let chosen = versions.isEmpty ? nil : oneOf(versions)
        let selector: VersionSelector = chosen.map { $0.isNull ? .null : .named($0.name) } ?? .latest
        let tags = [ObjectAttributes.Tag(key: "step", value: "\(number)")]
        let changed = try await store.changeAttributes(of: selector, of: key, in: bucket) { $0.tags = tags }
        #expect(changed?.version == (chosen?.object == nil ? nil : chosen?.name), place)
        if changed != nil { #expect(changed?.attributes.tags == tags, place) }
        let read = try await store.version(selector, of: key, in: bucket)
        if let changed { #expect(read == .object(changed), place) }
    }

    private mutating func changeVersioning() async throws {
        model.versioning = model.versioning == .enabled ? .suspended : .enabled
        try await store.setVersioning(model.versioning, of: bucket)
    }

    private func catching<Value: Sendable>(_ expected: MetadataError?, _ body: () async throws -> Value) async throws -> Value? {
        guard let expected else { return try await body() }
        await #expect(throws: expected, place) { _ = try await body() }
        return nil
    }

    // MARK: Comparison

    private func compare() async throws {
        #expect(try await store.totals() == model.totals, place)
        #expect(Set(try await store.garbageIDs()) == model.blobs.subtracting(model.referenced), place)
        #expect(try await store.knownBlobs(among: Array(model.blobs)) == model.blobs, place)
        for key in Self.keys.shuffled(seed: random.next()).prefix(3) { try await compareVersions(of: key) }
        for allVersions in [false, true] { try await compareListing(allVersions: allVersions) }
    }

    private func compareVersions(of key: String) async throws {
        let versions = model.versions(of: key)
        let latest = try await store.version(.latest, of: key, in: bucket)
        #expect(name(latest) == versions.first?.name, place)
        #expect(try await name(store.version(.null, of: key, in: bucket)) == versions.first(where: \.isNull)?.name, place)
        #expect(try await store.object(in: bucket, key: key)?.version == model.latestObject(of: key)?.version, place)
        for version in versions {
            let found = try await store.version(.named(version.name), of: key, in: bucket)
            switch found {
            case .object(let object)?:
                #expect(object.blobs == version.object?.blobs, place)
                #expect(object.isNullVersion == version.isNull, place)
                #expect(object.etag == version.object?.etag, place)
                #expect(object.createdAt == version.object?.createdAt, place)
            case .deleteMarker(let marker)?:
                #expect(version.object == nil, place)
                let expected = DeleteMarker(
                    key: key, version: version.name, isNullVersion: version.isNull, createdAt: version.markedAt, owner: version.owner)
                #expect(marker == expected, place)
            case nil: Issue.record("a version is not there: \(place)")
            }
        }
    }

    private func name(_ version: ObjectVersion?) -> VersionID? {
        switch version {
        case .object(let object)?: object.version
        case .deleteMarker(let marker)?: marker.version
        case nil: nil
        }
    }

    /// Pages of random sizes, put together, are the one endless page; from a random place on it is the rest of it.
    private func compareListing(allVersions: Bool) async throws {
        let prefix = oneOf(["", "", "a", "a/", "a/c", "z\0", "nothing", "\u{10FFFF}"])
        let delimiter = oneOf([nil, "/", "/", "//", "c", "\0", ""])
        let all = model.items(prefix: prefix, delimiter: delimiter, allVersions: allVersions)
        let after = oneOf([nil, "", "a", "a/b", "a/c/", "b", "zz"])
        // A common prefix is hidden by any key that it hides.
        let expected = after.map { after in all.filter { Array(after.utf8).lexicographicallyPrecedes($0.name) } } ?? all
        var request = ListRequest(prefix: prefix, delimiter: delimiter, after: after, limit: 0)
        #expect(try await page(request, after: nil, allVersions: allVersions).items.isEmpty, place)
        var listed: [VersionModel.Item] = []
        var selector: VersionSelector?
        repeat {
            request.limit = random.next(in: 1..<5)
            let page = try await page(request, after: selector, allVersions: allVersions)
            #expect(page.items.count <= request.limit, place)
            if page.next != nil { #expect(page.items.count == request.limit, place) }
            listed += page.items
            request.after = page.next
            guard case .version(let key, let name, _)? = page.items.last, allVersions else {
                selector = nil
                continue
            }
            let isNull = model.versions[key]?.first { $0.name == name }?.isNull ?? false
            selector = isNull ? .null : .named(name)
        } while request.after != nil && listed.count <= expected.count
        #expect(listed == expected, "\(place): \(request), \(delimiter ?? "no delimiter"), after \(after ?? "nothing")")
    }

    private func page(
        _ request: ListRequest, after: VersionSelector?, allVersions: Bool
    ) async throws -> (items: [VersionModel.Item], next: String?) {
        if allVersions {
            let page = try await store.listVersions(request, after: after, in: bucket)
            return (page.items, page.next)
        }
        let page = try await store.list(request, in: bucket)
        return (page.items, page.next)
    }

    /// Without its versions, the bucket can go, and nothing stays of them.
    mutating func end() async throws {
        for key in try existingKeys() {
            for version in model.versions(of: key) {
                _ = try await store.delete(
                    .named(version.name), of: key, in: bucket, marker: version.name, owner: nil, condition: .none,
                    bypassingGovernance: false, at: now)
                model.remove(version.name, of: key)
            }
        }
        try await compare()
        try await store.deleteBucket(bucket, at: now)
        for table in ["objects", "object_versions", "object_blobs", "version_parts", "multipart_uploads", "multipart_parts", "blobs"] {
            #expect(try await store.rowCount(of: table) == 0, "\(table): \(place)")
        }
    }
}
