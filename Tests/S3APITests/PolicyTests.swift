import Core
import Metadata
import NIOHTTP1
import Testing

@testable import S3API

@Suite("Bucket policies")
struct PolicyTests {
    private static let object = "arn:aws:s3:::bucket/a/b"

    @Test("a refusal comes before a permission, and what is not named is left to others")
    func effects() throws {
        let context = try PolicyFixtures.context()
        let policy = try PolicyFixtures.policy(
            PolicyFixtures.statement(), PolicyFixtures.statement("Deny", resource: #""arn:aws:s3:::bucket/secret/*""#))
        #expect(policy.effect(on: .getObject, of: Self.object, in: context) == .allow)
        #expect(policy.effect(on: .getObject, of: "arn:aws:s3:::bucket/secret/x", in: context) == .deny)
        #expect(policy.effect(on: .putObject, of: Self.object, in: context) == nil)
        #expect(policy.effect(on: .listBucket, of: "arn:aws:s3:::bucket", in: context) == nil)
    }

    @Test(
        "whom a statement is about",
        arguments: [
            (#""*""#, true, true, true), (#"{"AWS":"*"}"#, true, true, true), (#"{"AWS":["x","*"]}"#, true, true, true),
            (#"{"AWS":"alice"}"#, true, false, false), (#"{"AWS":"arn:aws:iam::alice:root"}"#, true, false, false),
            (#"{"AWS":["arn:aws:iam::carol:root","arn:aws:iam::bob:root"]}"#, false, true, false),
            (#"{"CanonicalUser":"bob"}"#, false, true, false),
            (#"{"AWS":"arn:aws:iam:::user/alice"}"#, true, false, false), (#"{"AWS":"arn:aws:iam::corp:user/bob"}"#, false, true, false),
            (#"{"AWS":"arn:aws:iam:::user/bob"}"#, false, false, false), (#"{"AWS":"arn:aws:iam::alice:role/r"}"#, false, false, false),
            (#"{"Service":"logging.s3.amazonaws.com"}"#, false, false, false),
        ])
    func principals(principal: String, alice: Bool, bob: Bool, anonymous: Bool) throws {
        let policy = try PolicyFixtures.policy(PolicyFixtures.statement(principal: principal))
        for (identity, isIncluded) in [
            (PolicyFixtures.account("alice"), alice), (PolicyFixtures.account("bob", tenant: "corp"), bob), (.anonymous, anonymous),
        ] {
            let effect = policy.effect(on: .getObject, of: Self.object, in: try PolicyFixtures.context(identity))
            #expect(effect == (isIncluded ? .allow : nil), "\(identity)")
        }
    }

    @Test("everybody but those who are named can be refused, and not allowed")
    func notPrincipal() throws {
        let statement = #"{"Effect":"Deny","NotPrincipal":{"AWS":"alice"},"Action":"s3:*","Resource":"arn:aws:s3:::bucket/*"}"#
        let policy = try PolicyFixtures.policy(statement)
        #expect(policy.effect(on: .getObject, of: Self.object, in: try PolicyFixtures.context()) == nil)
        #expect(policy.effect(on: .getObject, of: Self.object, in: try PolicyFixtures.context(PolicyFixtures.account("bob"))) == .deny)
        #expect(throws: S3Error.self) { try PolicyFixtures.policy(statement.replacing("Deny", with: "Allow")) }
    }

    @Test(
        "which actions a statement names, in any case, with wildcards",
        arguments: [
            (#""s3:GetObject""#, true, false), (#""s3:getobject""#, true, false), (#""s3:Get*""#, true, false), (#""s3:*""#, true, true),
            (#""*""#, true, true), (#"["s3:PutObject","s3:ListBucket"]"#, false, true), (#""s3:?utObject""#, false, true),
            (#""s3:GetObjectAcl""#, false, false), (#""s3:SomethingNew""#, false, false),
        ])
    func actions(action: String, gets: Bool, puts: Bool) throws {
        let policy = try PolicyFixtures.policy(PolicyFixtures.statement(action: action))
        #expect(policy.effect(on: .getObject, of: Self.object, in: try PolicyFixtures.context()) == (gets ? .allow : nil))
        #expect(policy.effect(on: .putObject, of: Self.object, in: try PolicyFixtures.context()) == (puts ? .allow : nil))
    }

    @Test(
        "which resources a statement names",
        arguments: [
            (#""arn:aws:s3:::bucket/*""#, true, false), (#""arn:aws:s3:::bucket/a/?""#, true, false),
            (#""arn:aws:s3:::bucket/A/b""#, false, false),
            (#""arn:aws:s3:::bucket""#, false, true), (#"["arn:aws:s3:::bucket","arn:aws:s3:::bucket/a/b"]"#, true, true),
            (#""arn:aws:s3:::*""#, true, true), (#""*""#, true, true), (#""arn:aws:s3:::buck*/a*""#, true, false),
        ])
    func resources(resource: String, object: Bool, bucket: Bool) throws {
        let policy = try PolicyFixtures.policy(PolicyFixtures.statement(resource: resource))
        #expect(policy.effect(on: .getObject, of: Self.object, in: try PolicyFixtures.context()) == (object ? .allow : nil))
        #expect(policy.effect(on: .getObject, of: "arn:aws:s3:::bucket", in: try PolicyFixtures.context()) == (bucket ? .allow : nil))
    }

    @Test("conditions", arguments: PolicyFixtures.conditions)
    func conditions(given: PolicyFixtures.Case) throws {
        let policy = try PolicyFixtures.policy(PolicyFixtures.statement(condition: given.condition))
        let context = try PolicyFixtures.context(
            headers: ["x-amz-acl": "public-read", "referer": "http://a.example/x"], query: "prefix=a/b&max-keys=10",
            tags: ["security": "public"], requestTags: ["colour": "red"])
        #expect(policy.effect(on: .getObject, of: Self.object, in: context) == (given.holds ? .allow : nil))
    }

    @Test("a condition of what the body has yet to say keeps nobody from saying it, and lets nobody off")
    func unknownYet() throws {
        let condition = #"{"StringEquals":{"s3:RequestObjectTag/a":"1"}}"#
        let unread = try PolicyFixtures.context(requestTags: nil)
        for (effect, before, after) in [("Allow", Policy.Effect.allow, Policy.Effect.allow), ("Deny", nil, .deny)]
            as [(String, Policy.Effect?, Policy.Effect?)]
        {
            let policy = try PolicyFixtures.policy(
                PolicyFixtures.statement(effect, action: #""s3:PutObjectTagging""#, condition: condition))
            #expect(policy.effect(on: .putObjectTagging, of: Self.object, in: unread) == before)
            #expect(policy.effect(on: .putObjectTagging, of: Self.object, in: try PolicyFixtures.context(requestTags: ["a": "1"])) == after)
            #expect(policy.effect(on: .putObjectTagging, of: Self.object, in: try PolicyFixtures.context(requestTags: ["a": "2"])) == nil)
        }
    }

    @Test("the source of a copy is compared as it is meant, not as it is written")
    func copySource() throws {
        let policy = try PolicyFixtures.policy(
            PolicyFixtures.statement(condition: #"{"StringLike":{"s3:x-amz-copy-source":"from/a b/*"}}"#))
        for source in ["from/a%20b/c", "/from/a%20b/c", "from/a%20b/c?versionId=null"] {
            let context = try PolicyFixtures.context(headers: ["x-amz-copy-source": source])
            #expect(policy.effect(on: .getObject, of: Self.object, in: context) == .allow, "\(source)")
        }
    }

    @Test(
        "what is not a policy for this bucket is refused",
        arguments: [
            "", "[]", "{}", #"{"Version":"2012-10-17"}"#, #"{"Version":"2012-10-17","Statement":[]}"#, #"{"Statement":{}}"#,
            #"{"Version":"2020-01-01","Statement":[\#(PolicyFixtures.statement())]}"#,
            #"{"Version":"2012-10-17","Statement":[\#(PolicyFixtures.statement())],"More":1}"#,
            PolicyFixtures.document(PolicyFixtures.statement("allow")), PolicyFixtures.document(PolicyFixtures.statement(principal: "{}")),
            PolicyFixtures.document(PolicyFixtures.statement(principal: #"{"Nobody":"x"}"#)),
            PolicyFixtures.document(PolicyFixtures.statement(principal: #"{"AWS":"arn:aws:iam::*:root"}"#)),
            PolicyFixtures.document(PolicyFixtures.statement(action: #""ec2:Run""#)),
            PolicyFixtures.document(PolicyFixtures.statement(action: "[]")), PolicyFixtures.document(PolicyFixtures.statement(action: "1")),
            PolicyFixtures.document(PolicyFixtures.statement(resource: #""arn:aws:s3:::other/*""#)),
            PolicyFixtures.document(PolicyFixtures.statement(resource: #""bucket/*""#)),
            PolicyFixtures.document(PolicyFixtures.statement(resource: #""arn:aws:s3:::bucket/${aws:username}""#)),
            PolicyFixtures.document(PolicyFixtures.statement(condition: #"{"StringEquals":{"aws:Unknown":"x"}}"#)),
            PolicyFixtures.document(PolicyFixtures.statement(condition: #"{"StringResembles":{"aws:Referer":"x"}}"#)),
            PolicyFixtures.document(PolicyFixtures.statement(condition: #"{"IpAddress":{"aws:SourceIp":"300.0.0.1"}}"#)),
            PolicyFixtures.document(PolicyFixtures.statement(condition: #"{"Bool":{"aws:SecureTransport":"maybe"}}"#)),
            PolicyFixtures.document(PolicyFixtures.statement(condition: #"{"DateLessThan":{"aws:CurrentTime":"tomorrow"}}"#)),
            PolicyFixtures.document(#"{"Effect":"Allow","Action":"s3:*","Resource":"arn:aws:s3:::bucket"}"#),
            PolicyFixtures.document(#"{"Effect":"Allow","Principal":"*","Action":"s3:*"}"#),
            PolicyFixtures.document(
                #"{"Effect":"Allow","Principal":"*","Action":"s3:*","NotAction":"s3:*","Resource":"arn:aws:s3:::bucket"}"#),
            PolicyFixtures.document(PolicyFixtures.statement()) + String(repeating: " ", count: Policy.maximumBytes),
        ])
    func malformed(text: String) {
        do {
            _ = try Policy(text, bucket: "bucket")
            Issue.record("it was accepted")
        } catch {
            #expect(error.code == .malformedPolicy)
        }
    }

    @Test(
        "which policies are public",
        arguments: [
            (PolicyFixtures.statement(), true), (PolicyFixtures.statement(principal: #"{"AWS":"*"}"#), true),
            (PolicyFixtures.statement("Deny"), false),
            (PolicyFixtures.statement(principal: #"{"AWS":"arn:aws:iam::alice:root"}"#), false),
            (PolicyFixtures.statement(condition: #"{"IpAddress":{"aws:SourceIp":"10.0.0.0/32"}}"#), false),
            (PolicyFixtures.statement(condition: #"{"IpAddress":{"aws:SourceIp":"192.0.2.0/8"}}"#), false),
            (PolicyFixtures.statement(condition: #"{"IpAddress":{"aws:SourceIp":["192.0.2.0/24","0.0.0.0/1"]}}"#), true),
            (PolicyFixtures.statement(condition: #"{"NotIpAddress":{"aws:SourceIp":"10.0.0.0/32"}}"#), true),
            (PolicyFixtures.statement(condition: #"{"StringEquals":{"aws:PrincipalAccount":"alice"}}"#), false),
            (PolicyFixtures.statement(condition: #"{"StringLike":{"aws:PrincipalAccount":"a*"}}"#), true),
            (PolicyFixtures.statement(condition: #"{"StringEqualsIfExists":{"aws:PrincipalAccount":"alice"}}"#), true),
            (PolicyFixtures.statement(condition: #"{"StringEquals":{"aws:Referer":"http://a.example"}}"#), true),
        ])
    func publicPolicies(statement: String, isPublic: Bool) throws { #expect(try PolicyFixtures.policy(statement).isPublic == isPublic) }

    @Test(
        "ranges of addresses",
        arguments: [
            ("192.0.2.0/24", "192.0.2.255", true), ("192.0.2.0/24", "192.0.3.0", false), ("0.0.0.0/0", "8.8.8.8", true),
            ("192.0.2.1", "192.0.2.1", true), ("2001:db8::/32", "2001:db8:1::9", true), ("2001:db8::/32", "2001:db9::", false),
            ("::1", "0:0:0:0:0:0:0:1", true), ("192.0.2.0/24", "::ffff:192.0.2.9", true), ("::/0", "192.0.2.1", false),
            ("127.0.0.1", "not an address", false),
        ])
    func addressRanges(range: String, address: String, isIn: Bool) throws {
        #expect(try #require(AddressRange(range)).contains(address) == isIn)
    }

    @Test("what is not a range", arguments: ["", "1.2.3", "1.2.3.4/33", "1.2.3.4/-1", "1.2.3.256", "1::2::3", "12345::", "::/129", "+1::"])
    func noRanges(text: String) { #expect(AddressRange(text) == nil) }

    @Test(
        "wildcards",
        arguments: [
            ("", "", true), ("*", "", true), ("a*c", "abbc", true), ("a*c", "abbcd", false), ("a?c", "abc", true), ("a?c", "ac", false),
            ("*a*b*", "xxaxxbxx", true), ("*ab", "aab", true), ("?", "🦊", true), ("a", "A", false), ("**a**", "a", true),
            ("a*", "b", false),
        ])
    func wildcards(pattern: String, text: String, matches: Bool) { #expect(Wildcard(pattern).matches(text) == matches) }
}
