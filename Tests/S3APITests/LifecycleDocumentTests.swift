import Core
import NIOCore
import ObjectStore
import Testing

@testable import S3API

@Suite("Lifecycle documents")
struct LifecycleDocumentTests {
    private static func parse(_ rules: String) throws -> LifecycleConfiguration {
        let document = ByteBuffer(string: "<LifecycleConfiguration>\(rules)</LifecycleConfiguration>")
        return try LifecycleDocument.parse(XMLElement.parse(document)) { "fresh" }
    }

    private static func rule(_ content: String, filter: String = "<Filter/>", id: String = "a", status: String = "Enabled") -> String {
        "<Rule><ID>\(id)</ID>\(filter)<Status>\(status)</Status>\(content)</Rule>"
    }

    private static let days = "<Expiration><Days>1</Days></Expiration>"

    @Test(
        "what is written is what was read",
        arguments: [
            rule(days, filter: "<Prefix>p/</Prefix>"), rule(days), rule(days, filter: "<Filter><Prefix>p</Prefix></Filter>"),
            rule(days, filter: "<Filter><Tag><Key>k</Key><Value>v</Value></Tag></Filter>"),
            rule(
                "<NoncurrentVersionExpiration><NoncurrentDays>2</NoncurrentDays><NewerNoncurrentVersions>5</NewerNoncurrentVersions>"
                    + "</NoncurrentVersionExpiration>",
                filter: "<Filter><And><Prefix>p</Prefix><Tag><Key>k</Key><Value></Value></Tag>"
                    + "<ObjectSizeGreaterThan>1</ObjectSizeGreaterThan><ObjectSizeLessThan>9</ObjectSizeLessThan></And></Filter>",
                status: "Disabled"),
            rule("<Expiration><Date>2030-01-01T00:00:00.000Z</Date></Expiration>"),
            rule("<Expiration><ExpiredObjectDeleteMarker>true</ExpiredObjectDeleteMarker></Expiration>"),
            rule("<AbortIncompleteMultipartUpload><DaysAfterInitiation>7</DaysAfterInitiation></AbortIncompleteMultipartUpload>"),
        ])
    func roundTrip(rules: String) throws {
        let written = LifecycleDocument.write(try Self.parse(rules))
        let expected = ByteBuffer(string: "<LifecycleConfiguration>\(rules)</LifecycleConfiguration>")
        #expect(try XMLElement.parse(written) == XMLElement.parse(expected))
    }

    @Test("a rule without a name gets one")
    func freshName() throws {
        #expect(try Self.parse("<Rule><Filter/><Status>Enabled</Status>\(Self.days)</Rule>").rules.map(\.id) == ["fresh"])
    }

    @Test("conditions that stand side by side hold together")
    func sideBySide() throws {
        let filter =
            "<Filter><Prefix>p</Prefix><Tag><Key>a</Key><Value>1</Value></Tag><And><Tag><Key>b</Key><Value>2</Value></Tag></And></Filter>"
        let scope = try #require(try Self.parse(Self.rule(Self.days, filter: filter)).rules.first).scope
        #expect(scope.form == .and && scope.prefix == "p" && scope.tags.map(\.key) == ["a", "b"])
    }

    @Test(
        "what S3 refuses is refused, with its codes",
        arguments: [
            ("", S3Error.Code.malformedXML), (rule(""), .invalidRequest), (rule(days, status: "enabled"), .malformedXML),
            (rule(days, id: String(repeating: "i", count: 256)), .invalidArgument), (rule(days) + rule(days), .invalidArgument),
            (rule("<Expiration><Days>0</Days></Expiration>"), .invalidArgument), (rule("<Expiration/>"), .malformedXML),
            (rule("<Expiration><Days>1</Days><Date>2030-01-01T00:00:00Z</Date></Expiration>"), .malformedXML),
            (rule("<Expiration><Date>1970-08-22T19:08:21Z</Date></Expiration>"), .invalidArgument),
            (rule("<Expiration><Days>99999999999</Days></Expiration>"), .invalidArgument),
            (rule(days, filter: ""), .malformedXML), (rule(days, filter: "<Prefix>a</Prefix><Filter/>"), .malformedXML),
            (rule(days, filter: "<Filter><Other>a</Other></Filter>"), .malformedXML),
            (rule(days, filter: "<Filter><ObjectSizeGreaterThan>-1</ObjectSizeGreaterThan></Filter>"), .invalidArgument),
            (
                rule(
                    days,
                    filter: "<Filter><And><ObjectSizeGreaterThan>5</ObjectSizeGreaterThan>"
                        + "<ObjectSizeLessThan>5</ObjectSizeLessThan></And></Filter>"), .invalidRequest
            ),
            (
                rule(
                    "<AbortIncompleteMultipartUpload><DaysAfterInitiation>1</DaysAfterInitiation></AbortIncompleteMultipartUpload>",
                    filter: "<Filter><Tag><Key>k</Key><Value>v</Value></Tag></Filter>"), .invalidRequest
            ),
            (rule("<Transition><Date>1970-08-22T19:08:21Z</Date><StorageClass>GLACIER</StorageClass></Transition>"), .invalidArgument),
            (rule("<Transition><Days>1</Days><StorageClass>GLACIER</StorageClass></Transition>"), .notImplemented),
            (String(repeating: rule(days), count: 1_001), .malformedXML),
        ])
    func refused(rules: String, code: S3Error.Code) {
        do {
            _ = try Self.parse(rules)
            Issue.record("\(rules.prefix(200)) was accepted")
        } catch {
            #expect((error as? S3Error)?.code == code, "\(rules.prefix(200))")
        }
    }
}
