import Core
import Metadata
import NIOHTTP1
import Testing

@testable import S3API

/// Policies of the bucket `bucket`, and requests that they are held against.
enum PolicyFixtures {
    static func account(_ id: String, tenant: String? = nil) -> Identity {
        .account(AccountRecord(id: id, displayName: id, email: nil, tenant: tenant, createdAt: Timestamp(millisecondsSince1970: 0)))
    }

    static func context(
        _ identity: Identity = account("alice"), headers: HTTPHeaders = [:], query: String? = nil, peer: String = "192.0.2.7",
        tags: [String: String] = [:], requestTags: [String: String]? = [:]
    ) throws -> PolicyContext {
        let list = { (tags: [String: String]) in tags.map { ObjectAttributes.Tag(key: $0.key, value: $0.value) } }
        // 2026-01-02T03:04:05Z
        return PolicyContext(
            identity: identity, bucketOwner: "owner", headers: headers, query: try QueryItems(query), peer: peer,
            now: Timestamp(millisecondsSince1970: 1_767_323_045_000), existingTags: list(tags), requestTags: requestTags.map(list))
    }

    static func statement(
        _ effect: String = "Allow", principal: String = #""*""#, action: String = #""s3:GetObject""#,
        resource: String = #""arn:aws:s3:::bucket/*""#, condition: String = "{}"
    ) -> String {
        #"{"Effect":"\#(effect)","Principal":\#(principal),"Action":\#(action),"Resource":\#(resource),"Condition":\#(condition)}"#
    }

    static func policy(_ statements: String...) throws -> Policy {
        try Policy(#"{"Version":"2012-10-17","Statement":[\#(statements.joined(separator: ","))]}"#, bucket: "bucket")
    }

    struct Case: Sendable, CustomTestStringConvertible {
        let condition: String
        let holds: Bool
        var testDescription: String { "\(condition) \(holds ? "holds" : "does not hold")" }
    }

    /// Held against a request with `x-amz-acl: public-read`, `referer: http://a.example/x`, `?prefix=a/b&max-keys=10`, from 192.0.2.7,
    /// by alice, on an object tagged `security=public`, at 2026-01-02T03:04:05Z.
    static let conditions = [
        Case(condition: #"{"StringEquals":{"s3:x-amz-acl":"public-read"}}"#, holds: true),
        Case(condition: #"{"StringEquals":{"s3:x-amz-acl":["private","public-read"]}}"#, holds: true),
        Case(condition: #"{"StringEquals":{"s3:x-amz-acl":"Public-Read"}}"#, holds: false),
        Case(condition: #"{"StringEqualsIgnoreCase":{"s3:x-amz-acl":"Public-Read"}}"#, holds: true),
        Case(condition: #"{"StringNotEquals":{"s3:x-amz-acl":"public-read"}}"#, holds: false),
        Case(condition: #"{"StringNotEquals":{"s3:x-amz-acl":["private","public-read"]}}"#, holds: false),
        Case(condition: #"{"StringEquals":{"s3:x-amz-storage-class":"STANDARD"}}"#, holds: false),
        Case(condition: #"{"StringNotEquals":{"s3:x-amz-storage-class":"STANDARD"}}"#, holds: true),
        Case(condition: #"{"StringEqualsIfExists":{"s3:x-amz-storage-class":"STANDARD"}}"#, holds: true),
        Case(condition: #"{"StringEqualsIfExists":{"s3:x-amz-acl":"private"}}"#, holds: false),
        Case(condition: #"{"StringLike":{"s3:prefix":"a/*"}}"#, holds: true),
        Case(condition: #"{"StringLike":{"s3:prefix":"b/*"}}"#, holds: false),
        Case(condition: #"{"StringNotLike":{"s3:prefix":"b/*"}}"#, holds: true),
        Case(condition: #"{"StringLike":{"aws:Referer":["http://b.example/*","http://a.example/*"]}}"#, holds: true),
        Case(condition: #"{"Null":{"s3:x-amz-acl":"true"}}"#, holds: false),
        Case(condition: #"{"Null":{"s3:x-amz-acl":false}}"#, holds: true),
        Case(condition: #"{"Null":{"s3:x-amz-server-side-encryption":"true"}}"#, holds: true),
        Case(condition: #"{"IpAddress":{"aws:SourceIp":"192.0.2.0/24"}}"#, holds: true),
        Case(condition: #"{"IpAddress":{"aws:SourceIp":["10.0.0.0/8","192.0.2.7"]}}"#, holds: true),
        Case(condition: #"{"IpAddress":{"aws:SourceIp":"192.0.2.8/29"}}"#, holds: false),
        Case(condition: #"{"NotIpAddress":{"aws:SourceIp":"192.0.2.0/24"}}"#, holds: false),
        Case(condition: #"{"Bool":{"aws:SecureTransport":"false"}}"#, holds: true),
        Case(condition: #"{"Bool":{"aws:SecureTransport":true}}"#, holds: false),
        Case(condition: #"{"Bool":{"aws:MultiFactorAuthPresent":"false"}}"#, holds: false),
        Case(condition: #"{"BoolIfExists":{"aws:MultiFactorAuthPresent":"false"}}"#, holds: true),
        Case(condition: #"{"NumericLessThanEquals":{"s3:max-keys":"10"}}"#, holds: true),
        Case(condition: #"{"NumericGreaterThan":{"s3:max-keys":10}}"#, holds: false),
        Case(condition: #"{"DateGreaterThan":{"aws:CurrentTime":"2026-01-02T03:04:04Z"}}"#, holds: true),
        Case(condition: #"{"DateLessThan":{"aws:CurrentTime":"2026-01-02T03:04:05Z"}}"#, holds: false),
        Case(condition: #"{"DateEquals":{"aws:EpochTime":"1767323045"}}"#, holds: true),
        Case(condition: #"{"StringEquals":{"s3:ExistingObjectTag/security":"public"}}"#, holds: true),
        Case(condition: #"{"StringEquals":{"s3:ExistingObjectTag/Security":"public"}}"#, holds: false),
        Case(condition: #"{"StringEquals":{"s3:RequestObjectTag/colour":"red"}}"#, holds: true),
        Case(condition: #"{"ForAllValues:StringEquals":{"s3:RequestObjectTagKeys":["colour","shape"]}}"#, holds: true),
        Case(condition: #"{"ForAllValues:StringEquals":{"s3:RequestObjectTagKeys":["shape"]}}"#, holds: false),
        Case(condition: #"{"ForAnyValue:StringLike":{"s3:RequestObjectTagKeys":"c*"}}"#, holds: true),
        Case(condition: #"{"ArnLike":{"aws:PrincipalArn":"arn:aws:iam::al*:root"}}"#, holds: true),
        Case(condition: #"{"ArnEquals":{"aws:SourceArn":"arn:aws:s3:::x"}}"#, holds: false),
        Case(condition: #"{"StringEquals":{"aws:PrincipalAccount":"alice"},"Null":{"s3:x-amz-acl":"true"}}"#, holds: false),
        Case(condition: #"{"StringEquals":{"aws:PrincipalAccount":"alice","s3:prefix":"a/b"}}"#, holds: true),
    ]

    static func document(_ statement: String) -> String { #"{"Version":"2012-10-17","Statement":[\#(statement)]}"# }
}
