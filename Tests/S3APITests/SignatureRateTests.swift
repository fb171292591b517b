import Core
import HTTPEdge
import Logging
import Metadata
import NIOCore
import NIOHTTP1
import SignatureV4
import Testing

@testable import S3API

/// What checking a signature costs, for docs/measurements.md.
@Suite("The price of a signature", .serialized)
struct SignatureRateTests {
    private static let accessKey = "AKIAIOSFODNN7EXAMPLE"
    private static let secret = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
    private static let requestCount = 2_000
    private static let rounds = 5
    /// Microseconds of a small request, on a machine that has nothing else to do.
    private static let bound = 60.0
    /// How many times as slow a machine may be that has.
    private static let patience = 4.0

    /// As the SDKs send it: eight fields are signed.
    private static func request(at time: Timestamp) throws -> HTTPRequest {
        let text = CalendarDate(time).compactText
        let hash = sha256Text([])
        let fields: [(name: String, value: String)] = [
            ("amz-sdk-invocation-id", "2b5a4a6c-1c50-4f1b-9f38-7d3b4a1b6a11"), ("amz-sdk-request", "attempt=1"), ("content-length", "4096"),
            ("content-type", "application/octet-stream"), ("host", "s3.example.com:9000"), ("x-amz-checksum-crc32", "AAAAAA=="),
            ("x-amz-content-sha256", hash), ("x-amz-date", text),
        ]
        let scope = CredentialScope(date: String(text.prefix(8)), region: "us-east-1", service: "s3")
        let canonical = CanonicalRequest(
            method: "PUT", path: Array("/bucket/some/key/of/usual/length.bin".utf8), query: [],
            headers: fields.map { ($0.name, [$0.value]) }, payload: hash)
        let signature = SigningKey(secret: secret, scope: scope).signature(of: canonical.stringToSign(time: text, scope: scope))
        var headers = HTTPHeaders(fields.map { ($0.name, $0.value) })
        headers.add(
            name: "Authorization",
            value:
                "AWS4-HMAC-SHA256 Credential=\(accessKey)/\(scope.text), SignedHeaders=\(canonical.signedHeaders), Signature=\(signature)")
        return HTTPRequest(
            id: "r", method: .PUT, target: RequestTarget("/bucket/some/key/of/usual/length.bin"), headers: headers,
            logger: Logger(label: "test"))
    }

    @Test("what the check of a signature costs, which is less than 60 us where nothing else runs")
    func price() async throws {
        let now = SystemTime().now()
        let request = try Self.request(at: now)
        let authenticator = Authenticator(root: (Self.accessKey, Self.secret), keys: NoAccounts(), time: SystemTime())
        let query = try QueryItems(request.target.query)
        #expect(try await authenticator.authenticate(request, query: query).identity == .root)
        var best = Double.infinity
        for _ in 0..<Self.rounds {
            let start = ContinuousClock.now
            for _ in 0..<Self.requestCount { _ = try await authenticator.authenticate(request, query: query) }
            best = min(best, (ContinuousClock.now - start) / .microseconds(1) / Double(Self.requestCount))
        }
        print("a signature: \(best) us, best of \(Self.rounds) rounds")
        #if !DEBUG
            #expect(best < Self.bound * Self.patience)
        #endif
    }
}

/// Accounts of which there are none.
private struct NoAccounts: AccountStore {
    func createAccount(_ account: AccountRecord) async throws {}
    func account(_ id: String) async throws -> AccountRecord? { nil }
    func account(email: String) async throws -> AccountRecord? { nil }
    func accounts() async throws -> [AccountRecord] { [] }
    func createAccessKey(_ key: AccessKeyRecord) async throws {}
    func accessKey(_ accessKey: String) async throws -> (key: AccessKeyRecord, account: AccountRecord)? { nil }
    func accessKeys(of account: String?) async throws -> [AccessKeyRecord] { [] }
    func setAccessKey(_ accessKey: String, enabled: Bool) async throws -> Bool { false }
    func deleteAccessKey(_ accessKey: String) async throws -> Bool { false }
}
