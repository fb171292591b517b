import Core
import Crypto
import HTTPEdge
import Logging
import Metadata
import NIOCore
import NIOHTTP1
import SignatureV4
import Testing

@testable import S3API

/// The values are those of the examples in AWS's "Signature calculations for the Authorization header".
@Suite("Signature V4")
struct SignatureTests {
    private static let secret = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
    private static let scope = CredentialScope(date: "20130524", region: "us-east-1", service: "s3")
    private static let emptyHash = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

    @Test("the signature of a request is the published one")
    func publishedRequest() {
        let request = CanonicalRequest(
            method: "GET", path: Array("/test.txt".utf8), query: [],
            headers: [
                ("host", ["examplebucket.s3.amazonaws.com"]), ("range", ["bytes=0-9"]), ("x-amz-content-sha256", [Self.emptyHash]),
                ("x-amz-date", ["20130524T000000Z"]),
            ], payload: Self.emptyHash)
        let key = SigningKey(secret: Self.secret, scope: Self.scope)
        let text = request.stringToSign(time: "20130524T000000Z", scope: Self.scope)
        let signature = "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41"
        #expect(key.signature(of: text) == signature)
        #expect(key.isSignature(signature, of: text))
        #expect(!key.isSignature(String(signature.dropLast()) + "2", of: text))
        #expect(!key.isSignature("", of: text))
    }

    @Test("queries are sorted by their encoded names, paths keep their slashes and are encoded once")
    func canonicalForm() {
        let request = CanonicalRequest(
            method: "GET", path: Array("/a b//c%/ü".utf8), query: [("prefix", "J"), ("a b", "x/y"), ("max-keys", "2"), ("a b", "")],
            headers: [("x-amz-meta-a", ["  one   two ", "three"]), ("host", ["h"])], payload: "P")
        #expect(
            request.text
                == "GET\n/a%20b//c%25/%C3%BC\na%20b=&a%20b=x%2Fy&max-keys=2&prefix=J\nhost:h\nx-amz-meta-a:one two,three\n\nhost;x-amz-meta-a\nP"
        )
    }

    private static let chunkSignatures = [
        "ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648",
        "0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497",
        "b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9",
    ]

    private static func decoder() -> AWSChunkedDecoder {
        let signer = ChunkSigner(
            key: SigningKey(secret: secret, scope: scope), time: "20130524T000000Z", scope: scope,
            seed: "4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9")
        return AWSChunkedDecoder(.signedChunks(signer, hasTrailer: false))
    }

    private static func framed(_ signatures: [String]) -> [UInt8] {
        let sizes = [65_536, 1_024, 0]
        return zip(sizes, signatures).flatMap { size, signature in
            Array("\(String(size, radix: 16));chunk-signature=\(signature)\r\n".utf8) + [UInt8](repeating: UInt8(ascii: "a"), count: size)
                + Array("\r\n".utf8)
        }
    }

    /// Everything that comes out, fed in runs of `step` bytes.
    private static func decode(_ bytes: [UInt8], step: Int, _ decoder: inout AWSChunkedDecoder) throws -> [UInt8] {
        var content: [UInt8] = []
        for start in stride(from: 0, to: bytes.count, by: step) {
            decoder.feed(ByteBuffer(bytes: bytes[start..<min(start + step, bytes.count)]))
            while let piece = try decoder.next() { content += Array(piece.readableBytesView) }
        }
        return content
    }

    @Test("the published body of signed chunks comes through, however it is cut", arguments: [1, 7, 1_000, 65_536, 1_000_000])
    func signedChunks(step: Int) throws {
        var decoder = Self.decoder()
        let content = try Self.decode(Self.framed(Self.chunkSignatures), step: step, &decoder)
        #expect(content == [UInt8](repeating: UInt8(ascii: "a"), count: 66_560))
        #expect(decoder.isEnded)
    }

    @Test("a chunk whose signature is wrong, in the middle or at the end, is refused", arguments: [0, 1, 2])
    func brokenChunk(index: Int) {
        var signatures = Self.chunkSignatures
        signatures[index] = String(signatures[index].reversed())
        var decoder = Self.decoder()
        #expect(throws: S3Error(.signatureDoesNotMatch)) { try Self.decode(Self.framed(signatures), step: 4_096, &decoder) }
    }

    @Test("a changed byte of a signed chunk is found out")
    func changedByte() {
        var bytes = Self.framed(Self.chunkSignatures)
        bytes[30_000] = UInt8(ascii: "b")
        var decoder = Self.decoder()
        #expect(throws: S3Error(.signatureDoesNotMatch)) { try Self.decode(bytes, step: 4_096, &decoder) }
    }

    @Test("chunks without signatures have their trailer read")
    func trailer() throws {
        var decoder = AWSChunkedDecoder(.unsignedChunks)
        let body = "5\r\nhello\r\n1\r\n!\r\n0\r\nx-amz-checksum-crc32:AAAAAA==\r\n\r\n"
        #expect(try Self.decode(Array(body.utf8), step: 3, &decoder) == Array("hello!".utf8))
        #expect(decoder.isEnded && decoder.trailer == ["x-amz-checksum-crc32": "AAAAAA=="])
    }

    @Test(
        "broken framing is refused",
        arguments: ["zz\r\nhello", "5\r\nhelloX\r\n", "-1\r\n", "\r\n", "ffffffffffffffff\r\n", String(repeating: "1", count: 9_000)])
    func brokenFraming(body: String) {
        var decoder = AWSChunkedDecoder(.unsignedChunks)
        #expect(throws: S3Error.self) { try Self.decode(Array(body.utf8), step: 1_000, &decoder) }
    }

    @Test("what follows the end of a body is refused, but for a line end, and not gathered", arguments: [0, 2, 3, 100_000])
    func behindTheEnd(byteCount: Int) throws {
        var decoder = AWSChunkedDecoder(.unsignedChunks)
        #expect(try Self.decode(Array("5\r\nhello\r\n0\r\n\r\n".utf8), step: 100, &decoder) == Array("hello".utf8))
        decoder.feed(ByteBuffer(repeating: 0x0A, count: byteCount))
        if byteCount <= 2 {
            #expect(try decoder.next() == nil)
        } else {
            #expect(throws: S3Error.self) { try decoder.next() }
        }
    }

    @Test("a body that is cut short has not ended")
    func cutShort() throws {
        var decoder = AWSChunkedDecoder(.unsignedChunks)
        _ = try Self.decode(Array("5\r\nhello\r\n".utf8), step: 100, &decoder)
        #expect(!decoder.isEnded)
    }
}
