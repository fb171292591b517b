import ChunkTransport
import Core
import Metadata
import NIOCore
import ObjectStore
import Testing

/// Lifecycles under virtual time.
@Suite("Lifecycles in a simulated cluster")
struct LifecycleTests {
    private static let day = Duration.seconds(100)
    private static let tag = ObjectAttributes.Tag(key: "kind", value: "log")

    private static func configuration() -> StoreConfiguration {
        var configuration = StoreConfiguration()
        configuration.chunkSize = 64 * 1024
        configuration.pieceSize = 64 * 1024
        configuration.lifecycleDay = day
        return configuration
    }

    private struct Bucket: Sendable {
        let cluster: SimulatedCluster
        let record: BucketRecord

        init(_ cluster: SimulatedCluster, _ versioning: Versioning, isLocking: Bool = false, _ rules: [LifecycleRule]) async throws {
            self.cluster = cluster
            let bucket = try await cluster.metadata.createBucket(
                named: "bucket", owner: "owner", isLocking: isLocking,
                documents: [.lifecycle: try LifecycleConfiguration(rules: rules).document], at: cluster.scheduler.now())
            try await cluster.metadata.setVersioning(versioning, of: bucket.id)
            guard let record = try await cluster.metadata.bucket(named: "bucket") else { throw Violation("no bucket") }
            self.record = record
        }

        @discardableResult
        func put(_ key: String, byteCount: Int = 100, _ attributes: ObjectAttributes = .init()) async throws -> VersionID {
            guard let store = cluster.store else { throw Violation("no distributor") }
            let body = SimulatedBody(file: SimulatedFile(seed: 1, byteCount: byteCount), breaksAt: nil, scheduler: cluster.scheduler)
            let description = ObjectDescription(
                bucket: record, key: key, contentType: "a/b", userMetadata: [:], attributes: attributes)
            return try await store.put(description, algorithms: [], body: body) { AcceptedContent($0, checksum: nil) }.1.version
        }

        /// `key`, or `key!` for a delete marker, of every version.
        func versions() async throws -> [String] {
            try await cluster.metadata.listVersions(ListRequest(limit: 1_000), after: nil, in: record.id).elements.map {
                if case .deleteMarker(let marker) = $0.version { marker.key + "!" } else { $0.version.key }
            }
        }

        func sleep(days: Double) async throws { try await cluster.scheduler.sleep(for: day * days) }
    }

    private func rule(
        _ id: String, _ scope: LifecycleRule.Scope = .init(form: .filter), expiration: LifecycleRule.Expiration? = nil,
        markers: Bool? = nil, noncurrent: LifecycleRule.NoncurrentExpiration? = nil, uploads: Int? = nil
    ) -> LifecycleRule {
        LifecycleRule(
            id: id, isEnabled: true, scope: scope, expiration: expiration, removesLoneMarkers: markers, noncurrentExpiration: noncurrent,
            abortsUploadsAfter: uploads)
    }

    private func simulate(_ body: @escaping @Sendable (SimulatedCluster) async throws -> Void) throws {
        let scheduler = DeterministicScheduler(seed: 7)
        try scheduler.run(limit: .seconds(48 * 3600)) {
            let cluster = try await SimulatedCluster(nodeCount: 3, configuration: Self.configuration(), scheduler: scheduler)
            try await body(cluster)
            await cluster.stopDistributor()
        }
    }

    @Test("objects go on their day, within a fifth of one, and their bytes with them; what no rule is about stays")
    func expiration() throws {
        try simulate { [self] cluster in
            let bucket = try await Bucket(
                cluster, .off,
                [
                    rule("a", .init(form: .rulePrefix, prefix: "a/"), expiration: .days(1)),
                    rule("t", .init(form: .filter, tags: [Self.tag]), expiration: .days(3)),
                ])
            var tagged = ObjectAttributes()
            tagged.tags = [Self.tag]
            for key in ["a/1", "a/2", "b/1"] { try await bucket.put(key) }
            try await bucket.put("b/2", tagged)
            try await bucket.sleep(days: 0.9)
            #expect(try await bucket.versions() == ["a/1", "a/2", "b/1", "b/2"])
            try await bucket.sleep(days: 0.35)
            #expect(try await bucket.versions() == ["b/1", "b/2"])
            try await bucket.sleep(days: 2)
            #expect(try await bucket.versions() == ["b/1"])
            try await bucket.sleep(days: 5)
            #expect(try await bucket.versions() == ["b/1"])
            let fragments = try await cluster.inventory().values.reduce(0) { $0 + $1.count }
            #expect(fragments == 3, "one chunk on three nodes is left")
        }
    }

    @Test("an object that is written anew has a new day, one that was deleted and written too")
    func rewritten() throws {
        try simulate { [self] cluster in
            let bucket = try await Bucket(cluster, .enabled, [rule("r", expiration: .days(2))])
            try await bucket.put("k")
            try await bucket.sleep(days: 1.5)
            try await bucket.put("k")
            try await bucket.sleep(days: 1)
            #expect(try await bucket.versions() == ["k", "k"])
            try await bucket.sleep(days: 1.25)
            #expect(try await bucket.versions() == ["k!", "k", "k"], "a delete marker, and once only")
            try await bucket.sleep(days: 5)
            #expect(try await bucket.versions() == ["k!", "k", "k"])
        }
    }

    @Test("of a versioned bucket nothing is left in the end: latest, older versions, delete marker, one after the other")
    func chain() throws {
        try simulate { [self] cluster in
            let bucket = try await Bucket(
                cluster, .enabled, [rule("r", expiration: .days(1), noncurrent: .init(days: 1)), rule("m", markers: true)])
            for _ in 0..<3 { try await bucket.put("k") }
            try await bucket.sleep(days: 1.3)
            #expect(try await bucket.versions() == ["k!", "k"], "the latest one has just become an older one")
            try await bucket.sleep(days: 1.5)
            #expect(try await bucket.versions() == [])
        }
    }

    @Test("more versions than a page has, of few keys and of many")
    func pages() throws {
        try simulate { [self] cluster in
            let bucket = try await Bucket(cluster, .enabled, [rule("r", noncurrent: .init(days: 1, kept: 3))])
            let now = cluster.scheduler.now()
            func commit(_ key: String) async throws {
                let object = ObjectRecord(
                    bucket: bucket.record.id, key: key, version: VersionID(time: now, random: cluster.scheduler.random), byteCount: 0,
                    fileName: nil, contentType: "a/b", etag: "e", crc32c: nil, createdAt: now, userMetadata: [:], blobs: [])
                try await cluster.metadata.commit(object, repairs: [])
            }
            for _ in 0..<2_500 { try await commit("many") }
            for number in 0..<300 { for _ in 0..<5 { try await commit("\(number)") } }
            try await bucket.sleep(days: 1.3)
            var counts: [String: Int] = [:]
            var request = ListRequest(limit: 1_000)
            var position: VersionSelector?
            repeat {
                let page = try await cluster.metadata.listVersions(request, after: position, in: bucket.record.id)
                for listed in page.elements { counts[listed.version.key, default: 0] += 1 }
                request.after = page.next
                if case .object(let last)? = page.elements.last?.version { position = .named(last.version) }
            } while request.after != nil
            #expect(counts.count == 301 && counts.values.allSatisfy { $0 == 4 })
        }
    }

    @Test("a locked version outlives every rule, until its lock ends")
    func locked() throws {
        try simulate { [self] cluster in
            let bucket = try await Bucket(
                cluster, .enabled, isLocking: true, [rule("r", expiration: .days(1), noncurrent: .init(days: 1)), rule("m", markers: true)])
            var attributes = ObjectAttributes()
            attributes.retention = .init(
                mode: .governance, until: cluster.scheduler.now().advanced(by: Self.day * 6).millisecondsSince1970)
            try await bucket.put("locked", attributes)
            try await bucket.put("free")
            try await bucket.sleep(days: 5)
            #expect(try await bucket.versions() == ["locked!", "locked"])
            try await bucket.sleep(days: 2)
            #expect(try await bucket.versions() == [])
        }
    }

    @Test("uploads that nobody completes are aborted, and leave no bytes")
    func uploads() throws {
        try simulate { [self] cluster in
            let bucket = try await Bucket(cluster, .off, [rule("u", .init(form: .filter, prefix: "a/"), uploads: 2)])
            guard let store = cluster.store else { throw Violation("no distributor") }
            for key in ["a/1", "b/1"] {
                let upload = UploadRecord(
                    id: UploadID(time: cluster.scheduler.now(), random: cluster.scheduler.random), bucket: bucket.record.id, key: key,
                    contentType: "a/b", userMetadata: [:], attributes: .init(), createdAt: cluster.scheduler.now())
                try await cluster.metadata.createUpload(upload)
                let body = SimulatedBody(file: SimulatedFile(seed: 1, byteCount: 100), breaksAt: nil, scheduler: cluster.scheduler)
                _ = try await store.putPart(1, of: upload, in: bucket.record, algorithms: [], body: body) {
                    AcceptedContent($0, checksum: nil)
                }
            }
            func keys() async throws -> [String] {
                try await cluster.metadata.uploads(ListRequest(limit: 10), after: nil, in: bucket.record.id).elements.map(\.key)
            }
            try await bucket.sleep(days: 1.9)
            #expect(try await keys() == ["a/1", "b/1"])
            try await bucket.sleep(days: 0.4)
            #expect(try await keys() == ["b/1"])
            #expect(try await cluster.inventory().values.reduce(0) { $0 + $1.count } == 3)
        }
    }

    @Test("who was down when a day came does its work when it is back")
    func restart() throws {
        try simulate { [self] cluster in
            let bucket = try await Bucket(cluster, .off, [rule("r", expiration: .days(1))])
            try await bucket.put("k")
            await cluster.stopDistributor()
            try await bucket.sleep(days: 3)
            #expect(try await bucket.versions() == ["k"])
            try await cluster.startDistributor()
            try await bucket.sleep(days: 0.3)
            #expect(try await bucket.versions() == [])
        }
    }

    @Test("a bucket whose rules cannot be read does not hold up the others")
    func unreadable() throws {
        try simulate { [self] cluster in
            _ = try await cluster.metadata.createBucket(
                named: "broken", owner: nil, isLocking: false, documents: [.lifecycle: "{"], at: cluster.scheduler.now())
            let bucket = try await Bucket(cluster, .off, [rule("r", expiration: .days(1))])
            try await bucket.put("k")
            try await bucket.sleep(days: 1.3)
            #expect(try await bucket.versions() == [])
        }
    }
}
