import HTTPEdge
import Logging
import NIOHTTP1
import Testing

@testable import S3API

/// The values are those of the examples in AWS's "Signing and authenticating REST requests".
@Suite("Signature V2")
struct SignatureV2Tests {
    private static let signature = SignatureV2(secret: "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY")

    private static func request(_ method: HTTPMethod, _ target: String, _ headers: HTTPHeaders) -> HTTPRequest {
        HTTPRequest(
            id: "1", method: method, target: RequestTarget(target), headers: headers,
            logger: Logger(label: "s3", factory: { _ in SwiftLogNoOpLogHandler() }))
    }

    @Test("a GET, by the host's bucket")
    func get() {
        let date = "Tue, 27 Mar 2007 19:36:42 +0000"
        let text = SignatureV2.stringsToSign(
            Self.request(.GET, "/photos/puppy.jpg", ["Date": date]), bucketInHost: "awsexamplebucket1", date: date)[0]
        #expect(text == "GET\n\n\n\(date)\n/awsexamplebucket1/photos/puppy.jpg")
        let signature = "qgk2+6Sv9/oM7G3qLEjTH1a1l1g="
        #expect(Self.signature.signature(of: text) == signature)
        #expect(Self.signature.isSignature(signature, of: text))
        #expect(!Self.signature.isSignature("qgk2+6Sv9/oM7G3qLEjTH1a1l1h=", of: text))
        #expect(!Self.signature.isSignature("", of: text))
    }

    @Test("a PUT, a listing, and the parameters that name a part of a bucket")
    func others() {
        let put = SignatureV2.stringsToSign(
            Self.request(.PUT, "/awsexamplebucket1/photos/puppy.jpg", ["Content-Type": "image/jpeg", "Content-Length": "94328"]),
            bucketInHost: nil, date: "Tue, 27 Mar 2007 21:15:45 +0000")[0]
        #expect(Self.signature.signature(of: put) == "iqRzw+ileNPu1fhspnRs8nOjjIA=")
        let list = SignatureV2.stringsToSign(
            Self.request(.GET, "/?prefix=photos&max-keys=50&marker=puppy", ["User-Agent": "Mozilla/5.0"]),
            bucketInHost: "awsexamplebucket1",
            date: "Tue, 27 Mar 2007 19:42:41 +0000")[0]
        #expect(Self.signature.signature(of: list) == "m0WP8eCtspQl5Ahe6L1SozdX9YA=")
        let acl = SignatureV2.stringsToSign(
            Self.request(.GET, "/?acl", [:]), bucketInHost: "awsexamplebucket1", date: "Tue, 27 Mar 2007 19:44:46 +0000")[0]
        #expect(Self.signature.signature(of: acl) == "82ZHiFIjc+WbcwFKGUVEQspPn+0=")
    }

    @Test("fields of Amazon's are sorted and joined, the date may be one of them, values of parameters are decoded")
    func canonicalForm() {
        let request = Self.request(
            .DELETE, "/bucket/a%20b?versionId=x%2Fy&uploads&other=1&acl=",
            ["X-Amz-Meta-B": " two ", "x-amz-date": "d", "x-amz-meta-b": "one", "Content-MD5": "m"])
        #expect(
            SignatureV2.stringsToSign(request, bucketInHost: nil, date: "")
                == ["DELETE\nm\n\n\nx-amz-date:d\nx-amz-meta-b:two,one\n/bucket/a%20b?acl=&uploads&versionId=x/y"])
    }

    @Test("a bucket alone may have been signed with a slash behind it")
    func bucketAlone() {
        let texts = SignatureV2.stringsToSign(Self.request(.PUT, "/bucket?acl", [:]), bucketInHost: nil, date: "d")
        #expect(texts == ["PUT\n\n\nd\n/bucket?acl", "PUT\n\n\nd\n/bucket/?acl"])
        #expect(SignatureV2.stringsToSign(Self.request(.GET, "/", [:]), bucketInHost: nil, date: "d").count == 1)
    }

    @Test("dates with an offset of nothing are dates")
    func dates() {
        #expect(SigningTime(http: "Thu, 26 Nov 2026 11:21:30 -0000")?.text == "20261126T112130Z")
        #expect(SigningTime(http: "Thu, 26 Nov 2026 11:21:30 +0100") == nil)
    }
}
