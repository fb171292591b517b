import NIOCore
import Testing

@testable import S3API

@Suite("Requests from scripts of web pages")
struct CrossOriginTests {
    private static func rules(_ rules: String) throws -> CrossOriginRules {
        try CrossOriginRules(try XMLElement.parse(ByteBuffer(string: "<CORSConfiguration>\(rules)</CORSConfiguration>")))
    }

    private static func rule(_ origin: String, _ method: String = "GET", _ more: String = "") -> String {
        "<CORSRule><AllowedOrigin>\(origin)</AllowedOrigin><AllowedMethod>\(method)</AllowedMethod>\(more)</CORSRule>"
    }

    @Test(
        "origins, with one star at most",
        arguments: [
            ("http://a.example", "http://a.example", true), ("http://a.example", "http://A.example", false), ("*", "anything", true),
            ("*suffix", "foo.suffix", true), ("*suffix", "foo.suffix.get", false), ("start*end", "startend", true),
            ("start*end", "start12end", true), ("start*end", "0start12end", false), ("startX*Xend", "startXend", false),
            ("prefix*", "prefix.suffix", true), ("prefix*", "bla.prefix", false), ("http://*.example", "http://b.example", true),
        ])
    func origins(pattern: String, origin: String, matches: Bool) throws {
        let answer = try Self.rules(Self.rule(pattern)).answer(origin: origin, method: "GET")
        #expect(answer?.origin == (matches ? (pattern == "*" ? "*" : origin) : nil))
        #expect(try Self.rules(Self.rule(pattern)).answer(origin: origin, method: "PUT") == nil)
    }

    @Test("the first rule that is about the origin, the method and all fields answers")
    func firstRule() throws {
        let rules = try Self.rules(
            Self.rule("a", "PUT", "<AllowedHeader>x-amz-*</AllowedHeader><ExposeHeader>ETag</ExposeHeader>")
                + Self.rule("*", "PUT", "<AllowedHeader>*</AllowedHeader><MaxAgeSeconds>60</MaxAgeSeconds><ID>all</ID>"))
        #expect(rules.answer(origin: "a", method: "PUT", asked: ["X-Amz-Meta-A"])?.rule.exposed == ["ETag"])
        #expect(rules.answer(origin: "a", method: "PUT", asked: ["X-Amz-Meta-A", "Content-Type"])?.rule.id == "all")
        let fields = try #require(rules.answer(origin: "b", method: "PUT", asked: ["Content-Type"])).fields
        #expect(fields.contains { $0 == ("Access-Control-Allow-Origin", "*") })
        #expect(fields.contains { $0 == ("Access-Control-Allow-Headers", "content-type") })
        #expect(fields.contains { $0 == ("Access-Control-Max-Age", "60") })
        #expect(!fields.contains { $0.name == "Access-Control-Allow-Credentials" })
        #expect(try Self.rules(Self.rule("a")).answer(origin: "a", method: "GET", asked: ["x-amz-meta-a"]) == nil)
    }

    @Test("rules are kept and read again")
    func text() throws {
        let rules = try Self.rules(Self.rule("a", "PUT", "<MaxAgeSeconds>0</MaxAgeSeconds>") + Self.rule("b"))
        #expect(CrossOriginRules(text: try rules.text()) == rules)
        #expect(CrossOriginRules(text: "") == nil)
    }

    @Test(
        "what is not a configuration",
        arguments: [
            "", CrossOriginTests.rule("a", "OPTIONS"), CrossOriginTests.rule("a*b*c"),
            CrossOriginTests.rule("a", "GET", "<AllowedHeader>**</AllowedHeader>"),
            CrossOriginTests.rule("a", "GET", "<MaxAgeSeconds>soon</MaxAgeSeconds>"),
            "<CORSRule><AllowedMethod>GET</AllowedMethod></CORSRule>",
            "<CORSRule><AllowedOrigin>a</AllowedOrigin></CORSRule>", String(repeating: CrossOriginTests.rule("a"), count: 101),
        ])
    func malformed(rules: String) { #expect(throws: S3Error.self) { try Self.rules(rules) } }
}
