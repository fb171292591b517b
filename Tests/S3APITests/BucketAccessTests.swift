import Core
import Metadata
import NIOHTTP1
import Testing

@testable import S3API

@Suite("Who may do what")
struct BucketAccessTests {
    private static let owner = PolicyFixtures.account("owner")
    private static let alice = PolicyFixtures.account("alice")
    private static let uuid = UUIDv7(time: epoch, random: SystemRandom())
    private static let epoch = Timestamp(millisecondsSince1970: 0)

    private static func rules(
        list: CannedList? = nil, policy: String? = nil, excludesOwner: Bool = false, block: Set<PublicAccessBlock.Switch> = [],
        ownership: ObjectOwnership? = nil
    ) throws -> BucketAccess {
        var documents: [BucketDocument: String] = [:]
        documents[.accessControl] = try list?.list(owner: "owner", bucketOwner: "owner").text(owner: "owner")
        documents[.publicAccessBlock] = PublicAccessBlock(on: block).text
        documents[.ownership] = ownership?.rawValue
        let bucket = BucketRecord(
            id: BucketID(value: 1), name: "bucket", createdAt: epoch, owner: "owner")
        let parsed = try policy.map { BucketPolicy(policy: try PolicyFixtures.policy($0), excludesOwner: excludesOwner) }
        return BucketAccess(BucketDescription(bucket: bucket, documents: documents), policy: parsed)
    }

    private static func object(owner: String?, list: CannedList? = nil) throws -> BucketAccess.Subject {
        var attributes = ObjectAttributes()
        attributes.owner = owner
        attributes.accessControl = try list?.list(owner: owner ?? "root", bucketOwner: "owner").text(owner: owner ?? "root")
        return .object(
            ObjectRecord(
                bucket: BucketID(value: 1), key: "k", version: VersionID(uuid: Self.uuid),
                byteCount: 0, fileName: nil, contentType: "", etag: "", crc32c: nil, createdAt: epoch, userMetadata: [:],
                attributes: attributes, blobs: []))
    }

    private static func may(
        _ identity: Identity, _ action: S3Action, _ subject: BucketAccess.Subject = .bucket, _ rules: BucketAccess
    ) throws -> Bool { rules.allows(action, on: subject, in: try PolicyFixtures.context(identity)) }

    @Test("of a private bucket the owner may do everything, others nothing", arguments: S3Action.allCases)
    func privateBucket(action: S3Action) throws {
        let rules = try Self.rules()
        let subject = try Self.object(owner: "owner")
        for on in [.bucket, subject] {
            #expect(try Self.may(.root, action, on, rules))
            #expect(try Self.may(Self.owner, action, on, rules))
            #expect(try !Self.may(Self.alice, action, on, rules))
            #expect(try !Self.may(.anonymous, action, on, rules))
        }
    }

    @Test("the bucket's owner does not read what another wrote, and may remove and tag it")
    func othersObjects() throws {
        let rules = try Self.rules()
        let object = try Self.object(owner: "alice")
        for action in [S3Action.getObject, .getObjectVersion, .getObjectAttributes, .getObjectAcl, .putObjectAcl] {
            #expect(try !Self.may(Self.owner, action, object, rules), "\(action)")
            #expect(try Self.may(Self.alice, action, object, rules), "\(action)")
        }
        for action in [S3Action.deleteObject, .deleteObjectVersion, .getObjectTagging, .putObjectTagging, .putObjectRetention] {
            #expect(try Self.may(Self.owner, action, object, rules), "\(action)")
            #expect(try !Self.may(Self.alice, action, object, rules), "\(action)")
        }
    }

    @Test("an owner who gave the last grant away can still see and change the list, and no more")
    func ownersLists() throws {
        let rules = try Self.rules()
        var attributes = ObjectAttributes()
        attributes.owner = "alice"
        attributes.accessControl = try AccessControlList([]).text(owner: "alice")
        guard case .object(var object) = try Self.object(owner: "alice") else {
            Issue.record("no object")
            return
        }
        object = ObjectRecord(
            bucket: object.bucket, key: object.key, version: object.version, byteCount: 0, fileName: nil, contentType: "", etag: "",
            crc32c: nil,
            createdAt: Self.epoch, userMetadata: [:], attributes: attributes, blobs: [])
        #expect(
            try Self.may(Self.alice, .getObjectAcl, .object(object), rules) && Self.may(Self.alice, .putObjectAcl, .object(object), rules))
        #expect(try !Self.may(Self.alice, .getObject, .object(object), rules))
    }

    @Test(
        "what a bucket's list opens",
        arguments: [
            (CannedList.private, false, false, false), (.publicRead, true, true, false), (.publicReadWrite, true, true, true),
            (.authenticatedRead, true, false, false), (.bucketOwnerFullControl, false, false, false),
        ])
    func bucketLists(list: CannedList, account: Bool, anybody: Bool, writes: Bool) throws {
        let rules = try Self.rules(list: list)
        #expect(try Self.may(Self.alice, .listBucket, .bucket, rules) == account)
        #expect(try Self.may(.anonymous, .listBucket, .bucket, rules) == anybody)
        #expect(try Self.may(.anonymous, .putObject, .key("k"), rules) == writes)
        #expect(try Self.may(.anonymous, .deleteObject, .key("k"), rules) == writes)
        // Older versions are the owner's, and what is in the bucket has lists of its own.
        #expect(try !Self.may(.anonymous, .deleteObjectVersion, .key("k"), rules))
        #expect(try !Self.may(.anonymous, .getObject, Self.object(owner: "owner"), rules))
    }

    @Test("an object's list lets others read it, and nobody overwrite it")
    func objectLists() throws {
        let rules = try Self.rules()
        let object = try Self.object(owner: "owner", list: .publicReadWrite)
        #expect(try Self.may(.anonymous, .getObject, object, rules))
        #expect(try !Self.may(.anonymous, .putObject, .key("k"), rules))
        #expect(try !Self.may(.anonymous, .getObjectAcl, object, rules))
        let shown = try Self.object(owner: "alice", list: .bucketOwnerRead)
        #expect(try Self.may(Self.owner, .getObject, shown, rules) && !Self.may(Self.owner, .putObjectAcl, shown, rules))
    }

    @Test("where lists are ignored, or there are none, they give nothing")
    func ignoredLists() throws {
        for rules in [
            try Self.rules(list: .publicReadWrite, block: [.ignorePublicAcls]),
            try Self.rules(list: .publicReadWrite, ownership: .bucketOwnerEnforced),
        ] {
            #expect(try !Self.may(Self.alice, .listBucket, .bucket, rules))
            #expect(try !Self.may(.anonymous, .getObject, Self.object(owner: "owner", list: .publicRead), rules))
            #expect(try Self.may(Self.owner, .listBucket, .bucket, rules))
        }
    }

    @Test("with lists turned off the bucket's owner owns what others wrote")
    func enforcedOwnership() throws {
        let rules = try Self.rules(ownership: .bucketOwnerEnforced)
        let object = try Self.object(owner: "alice")
        #expect(try Self.may(Self.owner, .getObject, object, rules))
        #expect(try !Self.may(Self.alice, .getObject, object, rules))
    }

    @Test("a policy that denies its author: everything but to take it back")
    func deniedAuthor() throws {
        let denial = PolicyFixtures.statement("Deny", action: #""s3:*""#, resource: #"["arn:aws:s3:::bucket","arn:aws:s3:::bucket/*"]"#)
        let rules = try Self.rules(policy: denial)
        for action in S3Action.allCases {
            let isAboutPolicy = [.getBucketPolicy, .putBucketPolicy, .deleteBucketPolicy].contains(action)
            #expect(
                try Self.may(Self.owner, action, isAboutPolicy ? .bucket : Self.object(owner: "owner"), rules) == isAboutPolicy, "\(action)"
            )
            #expect(try Self.may(.root, action, .bucket, rules), "\(action)")
        }
        let final = try Self.rules(policy: denial, excludesOwner: true)
        #expect(try !Self.may(Self.owner, .deleteBucketPolicy, .bucket, final))
        #expect(try Self.may(.root, .deleteBucketPolicy, .bucket, final))
    }

    @Test("a refusal of the policy is stronger than every list")
    func refusedByPolicy() throws {
        let rules = try Self.rules(list: .publicRead, policy: PolicyFixtures.statement("Deny"))
        #expect(try !Self.may(.anonymous, .getObject, Self.object(owner: "owner", list: .publicRead), rules))
        #expect(try Self.may(.anonymous, .listBucket, .bucket, rules))
    }

    @Test("a public policy that is restricted lets the owner in alone")
    func restricted() throws {
        let open = try Self.rules(policy: PolicyFixtures.statement())
        let restricted = try Self.rules(policy: PolicyFixtures.statement(), block: [.restrictPublicBuckets])
        let named = try Self.rules(
            policy: PolicyFixtures.statement(principal: #"{"AWS":"alice"}"#), block: [.restrictPublicBuckets])
        let object = try Self.object(owner: "owner")
        #expect(try Self.may(.anonymous, .getObject, object, open))
        #expect(try !Self.may(.anonymous, .getObject, object, restricted) && !Self.may(Self.alice, .getObject, object, restricted))
        #expect(try Self.may(Self.owner, .getObject, object, restricted))
        #expect(try Self.may(Self.alice, .getObject, object, named))
    }

    @Test("an upload may be ended by whoever began it")
    func uploads() throws {
        var attributes = ObjectAttributes()
        attributes.owner = "owner"
        attributes.initiator = "alice"
        let upload = BucketAccess.Subject.upload(
            UploadRecord(
                id: UploadID(uuid: Self.uuid), bucket: BucketID(value: 1),
                key: "k",
                contentType: "", userMetadata: [:], attributes: attributes, createdAt: Self.epoch))
        let rules = try Self.rules()
        for identity in [Self.alice, Self.owner] {
            #expect(
                try Self.may(identity, .abortMultipartUpload, upload, rules) && Self.may(identity, .listMultipartUploadParts, upload, rules)
            )
        }
        #expect(try !Self.may(PolicyFixtures.account("bob"), .abortMultipartUpload, upload, rules))
    }

    @Test("every operation says what it needs, and a document that is not known is not implemented")
    func requirements() throws {
        for operation in S3Operation.allCases {
            let needsDocument = operation.rawValue.hasSuffix("Document")
            let document = needsDocument ? "tagging" : nil
            _ = try operation.requirement(document, [:], try QueryItems(nil))
            guard needsDocument, operation != .deleteObjectDocument else { continue }
            #expect(throws: S3Error(.notImplemented)) { try operation.requirement("new", [:], try QueryItems(nil)) }
        }
    }
}
