import Core
import Foundation
import HTTPEdge
import NIOCore
import Testing

@testable import S3API

@Suite("Forms that are posted")
struct PostTests {
    private static let time = Timestamp(millisecondsSince1970: 1_767_225_600_000)

    private static func policy(_ conditions: String, expiration: String = "2026-01-02T00:00:00Z") throws -> PostPolicy {
        try PostPolicy(Data("{\"expiration\": \"\(expiration)\", \"conditions\": \(conditions)}".utf8).base64EncodedString())
    }

    private static func form(_ fields: [String: String], fileName: String? = nil) -> PostForm {
        PostForm(fields: fields, fileName: fileName)
    }

    @Test(
        "policies that are none are refused",
        arguments: [
            "[{}]", "{}", "[[\"content-length-range\", 0]]", "[[\"content-length-range\", -1, 5]]", "[[\"content-length-range\", 5, 4]]",
            "[[\"content-length-range\", 10, 20], [\"content-length-range\", 1, 5]]",
            "[[\"content-length-range\", 0.5, 4]]", "[[\"contains\", \"$key\", \"a\"]]", "[[\"eq\", \"key\", \"a\"]]", "[5]",
            "[{\"key\": 5}]",
            "[[\"eq\", \"$key\", {}]]", "[null]", "5",
        ])
    func malformed(conditions: String) {
        #expect(throws: S3Error.self) { try Self.policy(conditions) }
    }

    @Test("the two members of a policy are there, as they are written, and one is a date")
    func members() throws {
        for text in [
            #"{"conditions": []}"#, #"{"expiration": "2026-01-02T00:00:00Z"}"#, "[]", "",
            #"{"EXPIRATION": "2026-01-02T00:00:00Z", "conditions": []}"#,
            #"{"expiration": "2026-01-02 00:00:00+00:00", "conditions": []}"#,
            #"{"expiration": "2026-01-02T00:00:00Z", "CONDITIONS": []}"#,
        ] {
            #expect(throws: S3Error.self, "\(text)") { try PostPolicy(Data(text.utf8).base64EncodedString()) }
        }
        #expect(throws: S3Error.self) { try PostPolicy("no base64!") }
        #expect(try Self.policy("[]").conditions == [])
    }

    @Test("what the policy allows is accepted, whatever the case of names")
    func accepted() throws {
        let policy = try Self.policy(
            #"[{"bUcKeT": "bucket"}, ["StArTs-WiTh", "$KeY", "user/"], ["eq", "$x-amz-meta-a", "b"], ["starts-with", "$absent", ""],"#
                + #" ["content-length-range", 3, "10"]]"#)
        let fields = [
            "key": "user/a", "x-amz-meta-a": "b", "x-ignore-me": "c", "policy": "p", "signature": "s", "awsaccesskeyid": "k",
        ]
        try policy.check(Self.form(fields), bucket: "bucket", at: Self.time)
        #expect(policy.lengths(upTo: 5) == 3...5)
        #expect(policy.lengths(upTo: 50) == 3...10)
    }

    @Test(
        "what it does not allow is not",
        arguments: [
            (["key": "usr/a"], "bucket"), (["key": "user/a"], "other"), (["key": "user/a", "bucket": "other"], "bucket"),
            (["key": "user/a", "acl": "public-read"], "bucket"), (["key": "user/a", "x-amz-meta-a": "c"], "bucket"), ([:], "bucket"),
        ])
    func refused(fields: [String: String], bucket: String) throws {
        let policy = try Self.policy(#"[{"bucket": "bucket"}, ["starts-with", "$key", "user/"], ["eq", "$x-amz-meta-a", ""]]"#)
        try policy.check(Self.form(["key": "user/a"]), bucket: "bucket", at: Self.time)
        #expect(throws: S3Error.self) { try policy.check(Self.form(fields), bucket: bucket, at: Self.time) }
    }

    @Test("a policy ends, and one that does not name the bucket is for none")
    func ended() throws {
        let policy = try Self.policy(#"[{"bucket": "bucket"}]"#, expiration: "2026-01-01T00:00:00Z")
        #expect(throws: S3Error.self) { try policy.check(Self.form([:]), bucket: "bucket", at: Self.time) }
        try policy.check(Self.form([:]), bucket: "bucket", at: Timestamp(millisecondsSince1970: Self.time.millisecondsSince1970 - 1))
        #expect(throws: S3Error.self) { try Self.policy("[]").check(Self.form([:]), bucket: "bucket", at: Self.time) }
    }

    @Test("a file's name takes its place in fields, but not in what is signed", arguments: ["a.txt", "C:\\x\\a.txt", "/x/a.txt"])
    func fileName(name: String) {
        let form = Self.form(["key": "u/${filename}", "policy": "${filename}", "signature": "${filename}"], fileName: name)
        #expect(form["key"] == "u/a.txt" && form["policy"] == "${filename}" && form["signature"] == "${filename}")
    }

    private static func read(_ body: String) async throws -> (PostForm, content: String) {
        let bytes = RequestBody([ByteBuffer(string: body)]).makeAsyncIterator()
        let reader = MultipartReader(boundary: "b") { try await bytes.next() }
        let form = try await PostForm.read(from: reader)
        var content = ByteBuffer()
        for try await var piece in PostBody(content: PartContent(reader: reader), limits: 2...10) { content.writeBuffer(&piece) }
        return (form, String(buffer: content))
    }

    private static func part(_ name: String, _ value: String, fileName: String? = nil) -> String {
        let file = fileName.map { "; filename=\"\($0)\"" } ?? ""
        return "--b\r\nContent-Disposition: form-data; name=\"\(name)\"\(file)\r\n\r\n\(value)\r\n"
    }

    @Test("fields are read up to the file; some clients call each of them a file")
    func reading() async throws {
        let body =
            Self.part("KEY", "a", fileName: "KEY") + Self.part("x-amz-meta-b", "") + Self.part("file", "hello", fileName: "f")
            + Self.part("late", "x") + "--b--\r\n"
        let (form, content) = try await Self.read(body)
        #expect(form.fields == ["key": "a", "x-amz-meta-b": ""] && content == "hello")
    }

    @Test(
        "forms that are broken, have too much before their file, or a file of a wrong size, are refused",
        arguments: [
            (part("key", "a") + "--b--\r\n", S3Error.Code.invalidArgument), (part("key", "a") + part("KEY", "b"), .malformedPOSTRequest),
            (part("key", String(repeating: "x", count: 21_000)), .maxPostPreDataLengthExceeded),
            ((0..<100).map { part("\($0)" + String(repeating: "x", count: 300), "") }.joined(), .maxPostPreDataLengthExceeded),
            (
                part("content-type", String(repeating: "${filename}", count: 100))
                    + part("file", "hello", fileName: String(repeating: "x", count: 1_000)),
                .maxPostPreDataLengthExceeded
            ),
            (part("key", "a") + part("file", "hello", fileName: String(repeating: "x", count: 1_025)), .keyTooLong),
            (part("file", "1") + "--b--", .entityTooSmall),
            (part("file", "12345678901") + "--b--", .entityTooLarge), ("--b\r\nX: y\r\n\r\n", .malformedPOSTRequest),
            (String(part("file", "hello").dropLast(2)), .malformedPOSTRequest), ("", .malformedPOSTRequest),
        ])
    func broken(body: String, code: S3Error.Code) async {
        do {
            _ = try await Self.read(body)
            Issue.record("it was accepted")
        } catch {
            #expect(S3Error(error).code == code)
        }
    }
}
