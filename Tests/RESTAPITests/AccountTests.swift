import Core
import Foundation
import HTTPEdge
import Logging
import Metadata
import NIOCore
import NIOHTTP1
import RESTAPI
import ServerAssembly
import SignatureV4
import Testing

/// What the root account asks, and what nobody else can.
@Suite("Accounts and access keys")
struct AccountTests {
    static let root = (accessKey: "root-access-key", secretKey: "root-secret-key-0123456789")

    struct Answer {
        let status: UInt
        let text: String

        /// The end of the type of a problem.
        var problem: String? {
            guard let type = json["type"] as? String else { return nil }
            return type.hasPrefix("urn:chunkflow:problem:") ? String(type.dropFirst("urn:chunkflow:problem:".count)) : type
        }

        var json: [String: Any] { (try? JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any]) ?? [:] }
    }

    static func routes(_ accounts: MemoryAccounts, rootKey: (accessKey: String, secretKey: String)? = root) -> [Route] {
        GatewayRoutes.accounts(accounts, rootKey: rootKey, time: SystemTime(), random: SystemRandom())
    }

    /// - Parameters:
    ///   - path: percent-decoded.
    ///   - sent: the body that is sent in the place of the one that is signed.
    static func ask(
        _ method: HTTPMethod, _ path: String, _ body: String = "", of routes: [Route],
        key: (accessKey: String, secretKey: String)? = root, sent: String? = nil, changing: (inout HTTPHeaders) -> Void = { _ in }
    ) async throws -> Answer {
        let signed = key.map { key in
            RequestSigner(accessKey: key.accessKey, secretKey: key.secretKey).fields(
                method: method.rawValue, path: path, host: "localhost", body: Array(body.utf8),
                time: CalendarDate(SystemTime().now()).compactText)
        }
        var headers = HTTPHeaders([("Host", "localhost")] + (signed ?? []))
        changing(&headers)
        let request = HTTPRequest(
            id: "id", method: method, target: RequestTarget(path), headers: headers,
            body: RequestBody([ByteBuffer(string: sent ?? body)]), logger: Logger(label: "test"))
        let router = Router(routes: routes, problem: storeProblem)
        let response: HTTPResponse
        do {
            response = try await router.respond(to: request)
        } catch {
            response = router.response(to: error, for: FailedRequest(id: "id", target: request.target))
        }
        if case .bytes(let bytes) = response.body { return Answer(status: response.status.code, text: String(buffer: bytes)) }
        return Answer(status: response.status.code, text: "")
    }

    @Test("accounts are made and listed; their keys are made, shown once, listed without their secrets, switched off and deleted")
    func life() async throws {
        let accounts = MemoryAccounts()
        let routes = Self.routes(accounts)
        func ask(_ method: HTTPMethod, _ path: String, _ body: String = "") async throws -> Answer {
            try await Self.ask(method, path, body, of: routes)
        }
        let created = try await ask(.POST, "/accounts", #"{"id":"anna","displayName":"Anna","email":"anna@example.com"}"#)
        #expect(created.status == 201)
        #expect(created.json["tenant"] is NSNull && created.json["createdAt"] is String)
        #expect(try await ask(.POST, "/accounts", #"{"id":"bert","displayName":"Bert","tenant":"t"}"#).status == 201)
        let listed = try #require(try await ask(.GET, "/accounts").json["accounts"] as? [[String: Any]])
        #expect(listed.map { $0["id"] as? String } == ["anna", "bert"])

        let made = try await ask(.POST, "/accounts/anna/keys")
        let accessKey = try #require(made.json["accessKey"] as? String)
        let secretKey = try #require(made.json["secretKey"] as? String)
        #expect(made.status == 201 && accessKey.count == 20 && secretKey.count == 40)
        #expect(try await ask(.POST, "/accounts/anna/keys", #"{"accessKey":"AK1","secretKey":"a-secret/+"}"#).status == 201)
        let keys = try await ask(.GET, "/accounts/anna/keys")
        #expect((keys.json["keys"] as? [[String: Any]])?.count == 2)
        #expect(!keys.text.contains(secretKey) && !keys.text.contains("a-secret"))
        #expect(try await ask(.GET, "/accounts/bert/keys").text == #"{"keys":[]}"#)

        #expect(try await ask(.PUT, "/keys/AK1", #"{"enabled":false}"#).status == 204)
        #expect(try await accounts.accessKey("AK1")?.key.isEnabled == false)
        #expect(try await ask(.PUT, "/keys/AK1", #"{"enabled":true}"#).status == 204)
        #expect(try await accounts.accessKey("AK1")?.key.isEnabled == true)
        #expect(try await ask(.DELETE, "/keys/AK1").status == 204)
        #expect(try await ask(.DELETE, "/keys/AK1").problem == "key-not-found")
    }

    private static let strangers: [(String, @Sendable (MemoryAccounts) async throws -> Answer)] = [
        ("nobody", { try await ask(.GET, "/accounts", of: routes($0), key: nil) }),
        ("another secret", { try await ask(.GET, "/accounts", of: routes($0), key: (root.accessKey, "another-secret")) }),
        ("another account", { try await ask(.GET, "/accounts", of: routes($0), key: ("AKANNA", "secret-of-anna")) }),
        ("an unknown key", { try await ask(.GET, "/accounts", of: routes($0), key: ("AKNOBODY", root.secretKey)) }),
        ("another body", { try await ask(.POST, "/accounts", order, of: routes($0), sent: order.replacing("eve", with: "eva")) }),
        ("a longer body", { try await ask(.POST, "/accounts", order, of: routes($0), sent: order + " ") }),
        (
            "an admin token",
            { try await ask(.GET, "/accounts", of: routes($0), key: nil) { $0.add(name: "Authorization", value: "Bearer token") } }
        ),
        (
            "an old signature",
            { try await ask(.GET, "/accounts", of: routes($0)) { $0.replaceOrAdd(name: "x-amz-date", value: "20200102T030405Z") } }
        ),
        (
            "a signature without the body",
            {
                try await ask(.POST, "/accounts", order, of: routes($0)) {
                    $0.replaceOrAdd(name: "x-amz-content-sha256", value: "UNSIGNED-PAYLOAD")
                }
            }
        ),
        ("the root key of a server without one", { try await ask(.GET, "/accounts", of: routes($0, rootKey: nil)) }),
    ]
    private static let order = #"{"id":"eve","displayName":"Eve"}"#

    @Test("who has not signed with the root key gets 403, and changes nothing", arguments: strangers.indices)
    func strangersAreRefused(index: Int) async throws {
        let accounts = MemoryAccounts()
        let time = SystemTime().now()
        let anna = AccountRecord(id: "anna", displayName: "Anna", email: nil, tenant: nil, createdAt: time)
        try await accounts.createAccount(anna)
        try await accounts.createAccessKey(
            AccessKeyRecord(accessKey: "AKANNA", secretKey: "secret-of-anna", account: "anna", createdAt: time))
        let answer = try await Self.strangers[index].1(accounts)
        #expect(answer.status == 403 && answer.problem == "root-key-required", "\(Self.strangers[index].0): \(answer)")
        #expect(!answer.text.contains(Self.root.secretKey))
        #expect(try await accounts.accounts() == [anna])
    }

    @Test(
        "what cannot be asked is refused",
        arguments: [
            ("/accounts", ""), ("/accounts", "["), ("/accounts", #"{"id":"a"}"#), ("/accounts", #"{"displayName":"A"}"#),
            ("/accounts", #"{"id":"","displayName":"A"}"#), ("/accounts", #"{"id":"a b","displayName":"A"}"#),
            ("/accounts", #"{"id":"a/b","displayName":"A"}"#), ("/accounts", #"{"id":"ä","displayName":"A"}"#),
            ("/accounts", #"{"id":"a","displayName":""}"#), ("/accounts", #"{"id":"a","displayName":"A\u0007"}"#),
            ("/accounts", #"{"id":"a","displayName":"A","email":""}"#), ("/accounts", #"{"id":"a","displayName":"A","mail":"m"}"#),
            ("/accounts", #"{"id":"a","displayName":"A","email":null}"#), ("/accounts", #"{"id":1,"displayName":"A"}"#),
            ("/accounts/anna/keys", #"{"accessKey":"AK1"}"#), ("/accounts/anna/keys", #"{"secretKey":"12345678"}"#),
            ("/accounts/anna/keys", #"{"accessKey":"AK","secretKey":"12345678"}"#),
            ("/accounts/anna/keys", #"{"accessKey":"A/K1","secretKey":"12345678"}"#),
            ("/accounts/anna/keys", #"{"accessKey":"AK1","secretKey":"1234567"}"#),
            ("/accounts/anna/keys", #"{"accessKey":"AK1","secretKey":"1234 5678"}"#),
            ("/accounts/anna/keys", #"{"accessKey":"AK1","secretKey":"12345678","account":"eve"}"#),
        ])
    func careless(path: String, body: String) async throws {
        let accounts = MemoryAccounts()
        let anna = AccountRecord(id: "anna", displayName: "Anna", email: nil, tenant: nil, createdAt: SystemTime().now())
        try await accounts.createAccount(anna)
        let answer = try await Self.ask(.POST, path, body, of: Self.routes(accounts))
        #expect(answer.status == 400 && answer.problem == "malformed-account-order", "\(answer)")
        #expect(try await accounts.accounts() == [anna])
        #expect(try await accounts.accessKeys(of: nil) == [])
    }

    @Test("what is taken cannot be made again, that of the configuration included")
    func taken() async throws {
        let routes = Self.routes(MemoryAccounts())
        func ask(_ path: String, _ body: String) async throws -> Answer { try await Self.ask(.POST, path, body, of: routes) }
        #expect(try await ask("/accounts", #"{"id":"anna","displayName":"A","email":"a@x"}"#).status == 201)
        #expect(try await ask("/accounts/anna/keys", #"{"accessKey":"AK1","secretKey":"12345678"}"#).status == 201)
        for body in [
            #"{"id":"anna","displayName":"B"}"#, #"{"id":"b","displayName":"B","email":"a@x"}"#, #"{"id":"root","displayName":"B"}"#,
        ] {
            let answer = try await ask("/accounts", body)
            #expect(answer.status == 409 && answer.problem == "account-exists", "\(answer)")
        }
        for key in ["AK1", Self.root.accessKey] {
            let answer = try await ask("/accounts/anna/keys", #"{"accessKey":"\#(key)","secretKey":"another-secret"}"#)
            #expect(answer.status == 409 && answer.problem == "key-exists", "\(answer)")
        }
        #expect(try await ask("/accounts/eve/keys", "{}").problem == "account-not-found")
    }

    @Test("a database that fails is said to fail, and what it said is not told")
    func failingDatabase() async throws {
        let accounts = MemoryAccounts()
        accounts.fail(with: .failure(detail: "disk I/O error at /srv"))
        let answer = try await Self.ask(.GET, "/accounts", of: Self.routes(accounts))
        #expect(answer.status == 500 && answer.problem == "metadata-failure" && !answer.text.contains("/srv"))
        accounts.fail(with: .diskFull)
        #expect(try await Self.ask(.POST, "/accounts", Self.order, of: Self.routes(accounts)).status == 507)
    }
}
