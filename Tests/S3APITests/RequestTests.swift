import Core
import HTTPEdge
import Metadata
import NIOCore
import NIOHTTP1
import Testing

@testable import S3API

@Suite("Requests of the S3 API")
struct RequestTests {
    private static func address(_ target: String, host: String? = nil, domains: [String] = []) throws -> Address {
        try Address(RequestTarget(target), host: host, domains: domains)
    }

    @Test("keys come as they are: empty segments, dots, encoded slashes and question marks")
    func keys() throws {
        for (target, key) in [
            ("/bucket/a//b/", "a//b/"), ("/bucket/../x", "../x"), ("/bucket/a%2Fb%3Fc", "a/b?c"), ("/bucket/a+b", "a+b"),
            ("/bucket/%F0%9F%A6%8A", "🦊"), ("/bucket//", "/"), ("/bucket/a%0Ab", "a\nb"),
        ] {
            let address = try Self.address(target)
            #expect(address.bucket == "bucket" && address.key == key, "\(target)")
        }
        #expect(try Self.address("/bucket/").key == nil)
        #expect(try Self.address("/bucket").bucket == "bucket")
        #expect(try Self.address("/").bucket == nil)
    }

    @Test(
        "a write with a sub-resource that nobody knows is not the plain write", arguments: ["new", "renameObject", "new-kind", "response"])
    func unknownSubresources(name: String) throws {
        for method in [HTTPMethod.PUT, .DELETE, .POST] {
            for target in ["/bucket", "/bucket/key"] {
                #expect("\(method) \(target)?\(name)") {
                    try S3Operation.resolve(method, Self.address(target), query: QueryItems(name), headers: [:])
                } throws: {
                    ($0 as? S3Error)?.code == .notImplemented
                }
            }
        }
        let empty = try QueryItems("X-Amz-Signature=&response-content-type=&x-id=&versionId=")
        #expect(try S3Operation.resolve(.PUT, Self.address("/bucket/key"), query: empty, headers: [:]).0 == .putObject)
    }

    @Test("a bucket can be named by the host")
    func virtualHost() throws {
        let domains = ["s3.example.com"]
        let address = try Self.address("/a/b", host: "my.bucket.s3.example.com:9000", domains: domains)
        #expect(address.bucket == "my.bucket" && address.key == "a/b")
        #expect(try Self.address("/bucket/a", host: "s3.example.com", domains: domains).bucket == "bucket")
        #expect(try Self.address("/bucket/a", host: "evil-s3.example.com", domains: domains).bucket == "bucket")
    }

    @Test("keys that cannot be are refused")
    func refusedKeys() {
        #expect(throws: S3Error(.keyTooLong)) { try Self.address("/bucket/" + String(repeating: "k", count: 1_025)) }
        for target in ["/bucket/%ff", "/bucket/%4", "/bucket/a%00b"] {
            do {
                _ = try Self.address(target)
                Issue.record("\(target) was accepted")
            } catch {
                #expect((error as? S3Error)?.code == .invalidURI, "\(target)")
            }
        }
    }

    @Test("1,024 bytes are a key")
    func longestKey() throws {
        #expect(try Self.address("/bucket/" + String(repeating: "k", count: 1_024)).key?.count == 1_024)
    }

    @Test(
        "names of buckets",
        arguments: [
            ("abc", true), ("a.b-c", true), ("0ab", true), (String(repeating: "a", count: 63), true), ("ab", false),
            (String(repeating: "a", count: 64), false), ("Abc", false), ("a_b", false), ("-abc", false), ("abc-", false), ("a..b", false),
            ("a.-b", false), ("a-.b", false), ("192.168.5.4", false), ("xn--abc", false), ("abc-s3alias", false), ("a/b", false),
            ("../etc", false), ("a\nb", false), ("ä12", false),
        ])
    func bucketNames(name: String, isValid: Bool) { #expect(BucketName.isValid(name) == isValid) }

    @Test("the source of a copy: its version is split off before it is decoded")
    func copySource() throws {
        let plain = try CopySource("/bucket/a%20b")
        #expect(plain.bucket == "bucket" && plain.key == "a b" && plain.version == .latest)
        #expect(try CopySource("bucket/a+b%2B").key == "a b+")
        let questionable = try CopySource("bucket/%3FversionId?versionId=null")
        #expect(questionable.key == "?versionId" && questionable.version == .null)
        for text in ["", "bucket", "bucket/", "/", "bucket/%zz", "bucket/a?versionId=xyz"] {
            #expect(throws: S3Error.self, "\(text)") { try CopySource(text) }
        }
    }

    @Test("aws-chunked is not part of an object's encoding")
    func contentEncoding() throws {
        for (given, kept) in [("gzip, aws-chunked", "gzip"), ("aws-chunked,gzip", "gzip"), ("deflate, gzip", "deflate, gzip")] {
            #expect(try ObjectHeaders(["Content-Encoding": given]).kept["content-encoding"] == kept)
        }
        #expect(try ObjectHeaders(["Content-Encoding": "aws-chunked"]).kept["content-encoding"] == nil)
    }

    @Test("user metadata beyond 2 KiB are refused")
    func metadataLimit() throws {
        #expect(try ObjectHeaders(["x-amz-meta-a": String(repeating: "v", count: 2_047)]).kept.count == 1)
        #expect(throws: S3Error(.metadataTooLarge)) {
            try ObjectHeaders(["x-amz-meta-a": String(repeating: "v", count: 2_047), "x-amz-meta-b": "w"])
        }
    }

    @Test("tags are checked and sorted")
    func tags() throws {
        #expect(try Tags.parse(query: "foo=bar&bar").map(\.key) == ["bar", "foo"])
        #expect(throws: S3Error.self) { try Tags.parse(query: (0..<11).map { "k\($0)=v" }.joined(separator: "&")) }
        #expect(throws: S3Error.self) { try Tags.parse(query: String(repeating: "k", count: 129) + "=v") }
        #expect(throws: S3Error.self) { try Tags.parse(query: "k=" + String(repeating: "v", count: 257)) }
        #expect(throws: S3Error.self) { try Tags.parse(query: "k=1&k=2") }
        let tags = try Tags.parse(query: "a%26b=c%3Dd&e=")
        #expect(try Tags.parse(query: Tags.query(tags)) == tags)
    }

    @Test("parts of a completion: ascending, the later of two with one number counts")
    func namedParts() throws {
        func parse(_ parts: String) throws -> NamedParts {
            try NamedParts(XMLElement.parse(ByteBuffer(string: "<CompleteMultipartUpload>\(parts)</CompleteMultipartUpload>")))
        }
        func part(_ number: Int, _ etag: String) -> String {
            "<Part><PartNumber>\(number)</PartNumber><ETag>&quot;\(etag)&quot;</ETag></Part>"
        }
        #expect(try parse(part(1, "a") + part(3, "b")).parts.map(\.etag) == ["a", "b"])
        #expect(try parse(part(1, "a") + part(1, "b")).parts.map(\.etag) == ["b"])
        #expect(throws: S3Error(.invalidPartOrder)) { try parse(part(2, "a") + part(1, "b")) }
        #expect(throws: S3Error(.malformedXML)) { try parse("") }
        #expect(throws: S3Error.self) { try parse(part(10_001, "a")) }
    }
}

@Suite("XML of clients")
struct XMLTests {
    @Test("elements are read by name, whatever their namespace, and entities of XML itself are text")
    func reading() throws {
        let document = """
            <?xml version="1.0" encoding="UTF-8"?><s3:Delete xmlns:s3="http://s3.amazonaws.com/doc/2006-03-01/"><s3:Object>\
            <Key>a &amp; b&#x41;<![CDATA[<c>]]></Key></s3:Object><!-- note --><Quiet> true </Quiet><Empty/></s3:Delete>
            """
        let element = try XMLElement.parse(ByteBuffer(string: document))
        #expect(element.name == "Delete" && element["Object"]?["Key"]?.text == "a & bA<c>")
        #expect(element.value("Quiet") == "true" && element["Empty"]?.text == "")
    }

    @Test(
        "bombs, entities, depths and what is no XML are refused",
        arguments: [
            "<!DOCTYPE a [<!ENTITY b \"c\">]><a>&b;</a>",
            "<!DOCTYPE lolz [<!ENTITY lol \"lol\"><!ENTITY l2 \"&lol;&lol;&lol;&lol;&lol;&lol;&lol;&lol;\">]><a>&l2;</a>",
            "<!DOCTYPE a SYSTEM \"file:///etc/passwd\"><a/>", "<a>&undefined;</a>", "<a><b></a>", "<a", "", "hello", "<a/><b/>",
            String(repeating: "<a>", count: 40) + String(repeating: "</a>", count: 40),
            String(repeating: "<a>", count: 100_000), "<a>\u{1}</a>",
        ])
    func refused(document: String) {
        #expect(throws: S3Error.self) { try XMLElement.parse(ByteBuffer(string: document)) }
    }

    @Test("what is written is read back, with everything that XML must escape")
    func writing() throws {
        let document = XMLWriter.document("Root") { writer in
            writer.element("Key", "a<b>&\"c\" ü\n🦊")
            writer.element("Count", 12)
            writer.element("Is", true)
            writer.optional("Nothing", nil)
        }
        let element = try XMLElement.parse(document)
        #expect(element["Key"]?.text == "a<b>&\"c\" ü\n🦊")
        #expect(element.value("Count") == "12" && element.value("Is") == "true" && element["Nothing"] == nil)
        #expect(String(buffer: document).contains("xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\""))
    }
}
