import Core
import Metadata
import ObjectStore
import Testing

@Suite("What has had its time by the rules of a bucket")
struct LifecycleScanTests {
    private static let bucket = BucketID(value: 1)
    private static let tag = ObjectAttributes.Tag(key: "a", value: "1")
    /// A day is ten seconds, and the times in these tests are seconds.
    private static let day = LifecycleDay(.seconds(10))

    private static func at(_ seconds: Int64) -> Timestamp { Timestamp(millisecondsSince1970: seconds * 1_000) }

    private static func name(_ number: Int) -> VersionID { VersionID(uuid: UUIDv7(high: UInt64(number), low: 0)) }

    private static func object(_ key: String, _ seconds: Int64, byteCount: Int64 = 0, tags: [ObjectAttributes.Tag]? = nil) -> ObjectVersion
    {
        var attributes = ObjectAttributes()
        attributes.tags = tags
        return .object(
            ObjectRecord(
                bucket: bucket, key: key, version: name(Int(seconds)), byteCount: byteCount, fileName: nil, contentType: "a/b", etag: "e",
                crc32c: nil, createdAt: at(seconds), userMetadata: [:], attributes: attributes, blobs: []))
    }

    private static func marker(_ key: String, _ seconds: Int64) -> ObjectVersion {
        .deleteMarker(DeleteMarker(key: key, version: name(Int(seconds)), isNullVersion: false, createdAt: at(seconds), owner: nil))
    }

    private static func rule(
        _ scope: LifecycleRule.Scope = .init(form: .filter), isEnabled: Bool = true, expiration: LifecycleRule.Expiration? = nil,
        markers: Bool? = nil, noncurrent: LifecycleRule.NoncurrentExpiration? = nil, uploads: Int? = nil
    ) -> LifecycleRule {
        LifecycleRule(
            id: "r", isEnabled: isEnabled, scope: scope, expiration: expiration, removesLoneMarkers: markers,
            noncurrentExpiration: noncurrent, abortsUploadsAfter: uploads)
    }

    /// What is found among versions listed in this order; the first of each key is its latest.
    private static func found(_ versions: [ObjectVersion], _ rules: [LifecycleRule], now: Int64) -> [String] {
        var scan = LifecycleScan(LifecycleConfiguration(rules: rules), day: day, now: at(now))
        var findings: [LifecycleScan.Finding] = []
        var key: String?
        for version in versions {
            findings += scan.take(ListedVersion(version: version, isLatest: version.key != key))
            key = version.key
        }
        findings += scan.end()
        return findings.map { "\($0.kind) \($0.key) \($0.version.uuid.high)" }
    }

    @Test("the latest version goes when its days are over, not before, and not by a rule that is off")
    func days() {
        let versions = [Self.object("a", 100), Self.object("b", 109)]
        #expect(Self.found(versions, [Self.rule(expiration: .days(2))], now: 119) == [])
        #expect(Self.found(versions, [Self.rule(expiration: .days(2))], now: 120) == ["latest a 100"])
        #expect(Self.found(versions, [Self.rule(isEnabled: false, expiration: .days(2))], now: 200) == [])
        #expect(Self.found(versions, [Self.rule(expiration: .date(110_000))], now: 109) == [])
        #expect(Self.found(versions, [Self.rule(expiration: .date(110_000))], now: 110) == ["latest a 100", "latest b 109"])
        // Older versions are no business of an expiration.
        #expect(Self.found([Self.object("a", 100), Self.object("a", 1)], [Self.rule(expiration: .days(2))], now: 110) == [])
    }

    @Test("a real day ends at midnight")
    func midnight() {
        let hour: Int64 = 3_600_000
        #expect(LifecycleDay.calendar.end(of: 3, from: Timestamp(millisecondsSince1970: 10 * hour + 1)).millisecondsSince1970 == 96 * hour)
        #expect(LifecycleDay.calendar.end(of: 3, from: Timestamp(millisecondsSince1970: 24 * hour)).millisecondsSince1970 == 96 * hour)
        #expect(LifecycleDay(.seconds(86_400)).end(of: 1, from: Timestamp(millisecondsSince1970: 1)).millisecondsSince1970 == 48 * hour)
    }

    @Test("an older version goes so long after the one that came after it, the newest of them may stay")
    func noncurrent() {
        let versions = [Self.object("a", 150), Self.object("a", 140), Self.object("a", 130), Self.object("a", 120), Self.object("b", 1)]
        let rule = Self.rule(noncurrent: .init(days: 1))
        #expect(Self.found(versions, [rule], now: 139) == [])
        #expect(Self.found(versions, [rule], now: 149) == ["noncurrent a 120"])
        #expect(Self.found(versions, [rule], now: 160) == ["noncurrent a 140", "noncurrent a 130", "noncurrent a 120"])
        #expect(Self.found(versions, [Self.rule(noncurrent: .init(days: 1, kept: 2))], now: 160) == ["noncurrent a 120"])
        #expect(Self.found(versions, [Self.rule(noncurrent: .init(days: 1, kept: 3))], now: 160) == [])
    }

    @Test("a delete marker goes only when nothing is behind it")
    func markers() {
        let alone = [Self.marker("a", 100), Self.object("b", 100)]
        let covering = [Self.marker("a", 100), Self.object("a", 90), Self.object("b", 100)]
        let rule = Self.rule(markers: true)
        #expect(Self.found(alone, [rule], now: 100) == ["loneMarker a 100"])
        #expect(Self.found([Self.marker("a", 100)], [rule], now: 100) == ["loneMarker a 100"])
        #expect(Self.found(covering, [rule], now: 500) == [])
        #expect(Self.found(alone, [Self.rule(markers: false)], now: 500) == [])
        // By its age, too.
        #expect(Self.found([Self.marker("a", 100)], [Self.rule(expiration: .days(1))], now: 109) == [])
        #expect(Self.found([Self.marker("a", 100)], [Self.rule(expiration: .days(1))], now: 110) == ["loneMarker a 100"])
        #expect(Self.found(covering, [Self.rule(noncurrent: .init(days: 1))], now: 110) == ["noncurrent a 90"])
        // One that is older itself.
        let buried = [Self.object("a", 120), Self.marker("a", 100)]
        #expect(Self.found(buried, [Self.rule(markers: true, noncurrent: .init(days: 1))], now: 130) == ["noncurrent a 100"])
        #expect(Self.found(buried, [rule], now: 130) == [])
    }

    @Test("all that a scope says must hold")
    func scopes() {
        let versions = [
            Self.object("a/1", 1, byteCount: 10, tags: [Self.tag]), Self.object("a/2", 1, byteCount: 20),
            Self.object("b/1", 1, byteCount: 10, tags: [Self.tag, .init(key: "b", value: "2")]),
        ]
        func found(_ scope: LifecycleRule.Scope) -> [String] { Self.found(versions, [Self.rule(scope, expiration: .days(1))], now: 100) }
        #expect(found(.init(form: .filter)).count == 3)
        #expect(found(.init(form: .rulePrefix, prefix: "a/")) == ["latest a/1 1", "latest a/2 1"])
        #expect(found(.init(form: .filter, tags: [Self.tag])) == ["latest a/1 1", "latest b/1 1"])
        #expect(found(.init(form: .and, prefix: "a/", tags: [Self.tag])) == ["latest a/1 1"])
        #expect(found(.init(form: .and, tags: [Self.tag, .init(key: "b", value: "2")])) == ["latest b/1 1"])
        #expect(found(.init(form: .filter, tags: [.init(key: "a", value: "2")])) == [])
        #expect(found(.init(form: .filter, sizeGreaterThan: 10)) == ["latest a/2 1"])
        #expect(found(.init(form: .filter, sizeGreaterThan: 20)) == [])
        #expect(found(.init(form: .filter, sizeLessThan: 10)) == [])
        #expect(found(.init(form: .and, sizeGreaterThan: 9, sizeLessThan: 11)) == ["latest a/1 1", "latest b/1 1"])
        // A delete marker has no tags, and no size.
        for scope in [LifecycleRule.Scope(form: .filter, tags: [Self.tag]), .init(form: .filter, sizeLessThan: 10)] {
            #expect(Self.found([Self.marker("a", 1)], [Self.rule(scope, markers: true)], now: 100) == [])
        }
    }

    @Test("an upload goes by the rules of its key")
    func uploads() {
        let upload = UploadRecord(
            id: UploadID(uuid: UUIDv7(high: 1, low: 1)), bucket: Self.bucket, key: "a/1", contentType: "a/b", userMetadata: [:],
            attributes: ObjectAttributes(), createdAt: Self.at(100))
        func isOverdue(_ rule: LifecycleRule, _ now: Int64) -> Bool {
            LifecycleScan(LifecycleConfiguration(rules: [rule]), day: Self.day, now: Self.at(now)).isOverdue(upload)
        }
        #expect(!isOverdue(Self.rule(uploads: 2), 119))
        #expect(isOverdue(Self.rule(uploads: 2), 120))
        #expect(!isOverdue(Self.rule(.init(form: .filter, prefix: "b"), uploads: 2), 120))
        #expect(!isOverdue(Self.rule(expiration: .days(1)), 500))
    }

    @Test("prefixes that others cover are not walked twice, and rules that are off not at all")
    func prefixes() {
        let prefixes = ["b/", "a/x", "a/", "c", "a/x/y"].map { Self.rule(.init(form: .filter, prefix: $0), expiration: .days(1)) }
        let off = Self.rule(isEnabled: false, expiration: .days(1))
        func walked(_ rules: [LifecycleRule]) -> [String] { LifecycleConfiguration(rules: rules).prefixes(where: \.isAboutVersions) }
        #expect(walked(prefixes + [off]) == ["a/", "b/", "c"])
        #expect(walked(prefixes + [Self.rule(expiration: .days(1))]) == [""])
        #expect(walked([off]) == [])
        #expect(walked([Self.rule(uploads: 1), Self.rule(.init(form: .filter, prefix: "d"), noncurrent: .init(days: 1))]) == ["d"])
    }

    @Test("what a client is told: real days, the first of several rules")
    func told() throws {
        guard case .object(let object) = Self.object("a", 1_000, tags: [Self.tag]) else { return }
        let rules = [Self.rule(expiration: .days(3)), Self.rule(.init(form: .filter, tags: [Self.tag]), expiration: .days(1))]
        #expect(LifecycleConfiguration(rules: rules).expiration(of: object)?.at == Self.at(2 * 86_400))
        #expect(LifecycleConfiguration(rules: [rules[0]]).expiration(of: object)?.at == Self.at(4 * 86_400))
        #expect(LifecycleConfiguration(rules: [Self.rule(noncurrent: .init(days: 1))]).expiration(of: object) == nil)
    }

    @Test("a document comes back as it was, and has a form that stays")
    func document() throws {
        let rule = LifecycleRule(
            id: "i", isEnabled: true, scope: .init(form: .and, prefix: "p", tags: [Self.tag], sizeGreaterThan: 1, sizeLessThan: 9),
            expiration: .days(3), removesLoneMarkers: nil, noncurrentExpiration: .init(days: 4, kept: 5), abortsUploadsAfter: 6)
        let configuration = LifecycleConfiguration(rules: [rule, Self.rule(expiration: .date(86_400_000))])
        #expect(try LifecycleConfiguration(document: configuration.document) == configuration)
        #expect(
            try LifecycleConfiguration(rules: [rule]).document == """
                {"rules":[{"abortsUploadsAfter":6,"expiration":{"days":{"_0":3}},"id":"i","isEnabled":true,\
                "noncurrentExpiration":{"days":4,"kept":5},"scope":{"form":"and","prefix":"p","sizeGreaterThan":1,"sizeLessThan":9,\
                "tags":[{"key":"a","value":"1"}]}}]}
                """)
    }
}
