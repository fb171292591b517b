public import Core
internal import Foundation
public import HTTPEdge
internal import Metadata
internal import NIOCore
internal import NIOHTTP1
public import ObjectStore

/// Accounts and access keys, for who has the root key: requests are signed with it, as those of S3 are.
public struct AccountRoutes: Sendable {
    /// Bytes of a request's body.
    private static let longestBody = 64 * 1_024
    private static let accessKeyLength = 20
    private static let secretKeyLength = 40

    private let store: ObjectStore
    private let authenticator: Authenticator
    private let time: any TimeSource
    private let random: any RandomSource

    public init(store: ObjectStore, rootKey: (accessKey: String, secretKey: String)?, time: any TimeSource, random: any RandomSource) {
        self.store = store
        self.time = time
        self.random = random
        authenticator = Authenticator(root: rootKey, keys: store.metadata, time: time)
    }

    public var routes: [Route] {
        [
            Route(.GET, "/accounts") { request, _ in
                _ = try await body(request)
                return try Self.answer(AccountsDocument(accounts: try await asking { try await $0.accounts() }.map(AccountDocument.init)))
            },
            Route(.POST, "/accounts") { request, _ in try await createAccount(request) },
            Route(.GET, "/accounts/{account}/keys") { request, parameters in
                _ = try await body(request)
                let account = try await account(parameters["account"])
                let keys = try await asking { try await $0.accessKeys(of: account.id) }
                return try Self.answer(KeysDocument(keys: keys.map(KeyDocument.init)))
            },
            Route(.POST, "/accounts/{account}/keys") { request, parameters in try await createKey(request, of: parameters["account"]) },
            Route(.PUT, "/keys/{accessKey}") { request, parameters in
                guard let enabled = try Self.decode(try await body(request), as: EnabledDocument.self).enabled else {
                    throw Self.malformed("enabled is true or false")
                }
                guard try await asking({ try await $0.setAccessKey(parameters["accessKey"], enabled: enabled) }) else { throw Self.noSuchKey }
                return HTTPResponse(status: .noContent)
            },
            Route(.DELETE, "/keys/{accessKey}") { request, parameters in
                _ = try await body(request)
                guard try await asking({ try await $0.deleteAccessKey(parameters["accessKey"]) }) else { throw Self.noSuchKey }
                return HTTPResponse(status: .noContent)
            },
        ]
    }

    private func createAccount(_ request: HTTPRequest) async throws -> HTTPResponse {
        let order = try Self.decode(try await body(request), as: AccountOrder.self)
        guard let id = order.id, Self.isName(id), id != RootAccount.id else { throw Self.malformed("id has 1 to 128 printable characters without blanks, and is not root") }
        guard let name = order.displayName, Self.isText(name) else { throw Self.malformed("displayName has 1 to 256 characters") }
        for text in [order.email, order.tenant].compactMap({ $0 }) where !Self.isText(text) {
            throw Self.malformed("email and tenant have 1 to 256 characters")
        }
        let account = AccountRecord(id: id, displayName: name, email: order.email, tenant: order.tenant, createdAt: time.now())
        try await asking { try await $0.createAccount(account) }
        return try Self.answer(AccountDocument(account), status: .created)
    }

    private func createKey(_ request: HTTPRequest, of name: String) async throws -> HTTPResponse {
        let order = try Self.decode(try await body(request), as: KeyOrder.self)
        guard (order.accessKey == nil) == (order.secretKey == nil) else { throw Self.malformed("accessKey and secretKey come together, or neither") }
        let accessKey = order.accessKey ?? fresh(Self.accessKeyLength, of: "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567")
        let secretKey = order.secretKey ?? fresh(Self.secretKeyLength, of: "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/")
        guard Self.isName(accessKey), accessKey.utf8.count >= 3, !accessKey.contains("/"), accessKey != authenticator.root?.accessKey else {
            throw Self.malformed("accessKey has 3 to 128 printable characters without blanks and slashes, and is not that of the configuration")
        }
        guard (8...256).contains(secretKey.utf8.count) else { throw Self.malformed("secretKey has 8 to 256 characters") }
        let account = try await account(name)
        let key = AccessKeyRecord(accessKey: accessKey, secretKey: secretKey, account: account.id, createdAt: time.now())
        try await asking { try await $0.createAccessKey(key) }
        // The only time that the secret is shown.
        return try Self.answer(NewKeyDocument(accessKey: accessKey, secretKey: secretKey, account: account.id), status: .created)
    }

    private func account(_ id: String) async throws -> AccountRecord {
        guard let account = try await asking({ try await $0.account(id) }) else {
            throw Problem(.notFound, "account-not-found", title: "There is no such account", detail: "no account has the id \(id)")
        }
        return account
    }

    /// Characters drawn evenly: `alphabet` has a power of two of them.
    private func fresh(_ count: Int, of alphabet: String) -> String {
        let characters = Array(alphabet)
        return String((0..<count).map { _ in characters[Int(random.next() % UInt64(characters.count))] })
    }

    // MARK: Requests

    /// The body of a request that the root account has signed.
    private func body(_ request: HTTPRequest) async throws -> ByteBuffer {
        let identity: Identity
        let payload: Payload
        do {
            let result = try await authenticator.authenticate(request, query: try QueryItems(request.target.query))
            (identity, payload) = (result.identity, result.payload)
        } catch let error as S3Error {
            throw Problem(.forbidden, "not-signed", title: "The request is not signed with the root key", detail: error.message)
        }
        guard identity == .root else {
            throw Problem(
                .forbidden, "not-signed", title: "The request is not signed with the root key",
                detail: "sign it with the root key of the server's configuration")
        }
        var bytes = ByteBuffer()
        for try await var part in request.body {
            bytes.writeBuffer(&part)
            guard bytes.readableBytes <= Self.longestBody else { throw Self.malformed("the body has more than \(Self.longestBody) bytes") }
        }
        guard case .hashed(let hash) = payload, sha256(bytes) == hash else {
            throw Problem(.badRequest, "malformed-account-order", title: "This cannot be asked of accounts", detail: "the body is not the one that was signed")
        }
        return bytes
    }

    private func sha256(_ bytes: ByteBuffer) -> String {
        var digest = SHA256Digest()
        digest.update(bytes)
        return digest.hexadecimalText
    }

    private static func decode<Document: Decodable>(_ bytes: ByteBuffer, as _: Document.Type) throws -> Document {
        do {
            return try JSONDecoder().decode(Document.self, from: bytes.readableBytes == 0 ? Data("{}".utf8) : Data(bytes.readableBytesView))
        } catch {
            throw malformed("the body is not the JSON object that is expected here")
        }
    }

    private func asking<Value>(_ body: (any MetadataStore) async throws -> Value) async throws -> Value {
        do {
            return try await body(store.metadata)
        } catch MetadataError.conflict {
            throw Problem(.conflict, "account-exists", title: "The id, the e-mail address or the access key is taken")
        }
    }

    static func malformed(_ detail: String) -> Problem {
        Problem(.badRequest, "malformed-account-order", title: "This cannot be asked of accounts", detail: detail)
    }

    private static let noSuchKey = Problem(.notFound, "key-not-found", title: "There is no such access key")

    private static func isName(_ text: String) -> Bool {
        (1...128).contains(text.utf8.count) && text.utf8.allSatisfy { (0x21...0x7E).contains($0) }
    }

    private static func isText(_ text: String) -> Bool {
        (1...256).contains(text.count) && text.unicodeScalars.allSatisfy { $0.value >= 0x20 && $0.value != 0x7F }
    }

    private static func answer(_ document: some Encodable, status: HTTPResponseStatus = .ok) throws -> HTTPResponse {
        var response = try HTTPResponse.json(document, headers: ["Cache-Control": "no-store"])
        response.status = status
        return response
    }
}

private struct AccountOrder: Decodable {
    let id: String?
    let displayName: String?
    let email: String?
    let tenant: String?
}

private struct KeyOrder: Decodable {
    let accessKey: String?
    let secretKey: String?
}

private struct EnabledDocument: Decodable { let enabled: Bool? }

private struct AccountsDocument: Encodable { let accounts: [AccountDocument] }

private struct AccountDocument: Encodable {
    let id: String
    let displayName: String
    let email: String?
    let tenant: String?
    let createdAt: String

    init(_ account: AccountRecord) {
        id = account.id
        displayName = account.displayName
        email = account.email
        tenant = account.tenant
        createdAt = CalendarDate(account.createdAt).internetText
    }

    private enum CodingKeys: CodingKey { case id, displayName, email, tenant, createdAt }

    /// Every member is always there.
    func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(id, forKey: .id)
        try container.encode(displayName, forKey: .displayName)
        try container.encode(email, forKey: .email)
        try container.encode(tenant, forKey: .tenant)
        try container.encode(createdAt, forKey: .createdAt)
    }
}

private struct KeysDocument: Encodable { let keys: [KeyDocument] }

private struct KeyDocument: Encodable {
    let accessKey: String
    let account: String
    let enabled: Bool
    let createdAt: String

    init(_ key: AccessKeyRecord) {
        accessKey = key.accessKey
        account = key.account
        enabled = key.isEnabled
        createdAt = CalendarDate(key.createdAt).internetText
    }
}

private struct NewKeyDocument: Encodable {
    let accessKey: String
    let secretKey: String
    let account: String
}
