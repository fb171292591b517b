public import Core
internal import Foundation
public import HTTPEdge
public import Metadata
internal import NIOCore
internal import NIOHTTP1
internal import ObjectStore

/// Accounts and access keys, for who has the root key: requests are signed with it, as those of S3 are.
public struct AccountRoutes: Sendable {
    /// Bytes of a request's body.
    private static let longestBody = 64 * 1_024
    private static let accessKeyLength = 20
    private static let secretKeyLength = 40

    private let accounts: any AccountStore
    private let authenticator: Authenticator
    private let time: any TimeSource
    private let random: any RandomSource

    /// - Parameters:
    ///   - rootKey: nil for a server without: it refuses everything here.
    ///   - random: makes keys, so what it gives must be unpredictable.
    public init(
        _ accounts: any AccountStore, rootKey: (accessKey: String, secretKey: String)?, time: any TimeSource, random: any RandomSource
    ) {
        self.accounts = accounts
        self.time = time
        self.random = random
        authenticator = Authenticator(root: rootKey, keys: accounts, time: time)
    }

    public var routes: [Route] {
        [
            Route(.GET, "/accounts") { request, _ in
                _ = try await signedBody(request)
                return try Self.answer(AccountsDocument(accounts: try await asking { try await $0.accounts() }.map(AccountDocument.init)))
            },
            Route(.POST, "/accounts") { request, _ in try await createAccount(try await signedBody(request)) },
            Route(.GET, "/accounts/{account}/keys") { request, parameters in
                _ = try await signedBody(request)
                let account = try await account(parameters["account"])
                let keys = try await asking { try await $0.accessKeys(of: account.id) }
                return try Self.answer(KeysDocument(keys: keys.map(KeyDocument.init)))
            },
            Route(.POST, "/accounts/{account}/keys") { request, parameters in
                try await createKey(try await signedBody(request), of: parameters["account"])
            },
            Route(.PUT, "/keys/{accessKey}") { request, parameters in
                guard let enabled = try Self.decode(try await signedBody(request), as: EnablingOrder.self).enabled else {
                    throw Self.malformed("enabled is true or false")
                }
                return try await done(parameters["accessKey"]) { try await $0.setAccessKey($1, enabled: enabled) }
            },
            Route(.DELETE, "/keys/{accessKey}") { request, parameters in
                _ = try await signedBody(request)
                return try await done(parameters["accessKey"]) { try await $0.deleteAccessKey($1) }
            },
        ]
    }

    private func createAccount(_ body: ByteBuffer) async throws -> HTTPResponse {
        let order = try Self.decode(body, as: AccountOrder.self)
        guard let id = order.id, Self.isName(id) else {
            throw Self.malformed("id has 1 to 128 printable characters without blanks and slashes")
        }
        guard let name = order.displayName, Self.isText(name) else { throw Self.malformed("displayName has 1 to 256 characters") }
        for text in [order.email, order.tenant].compactMap({ $0 }) where !Self.isText(text) {
            throw Self.malformed("email and tenant have 1 to 256 characters")
        }
        guard id != RootAccount.id else { throw Self.accountExists("\(id) is the account of the root key") }
        let account = AccountRecord(id: id, displayName: name, email: order.email, tenant: order.tenant, createdAt: time.now())
        do {
            try await asking { try await $0.createAccount(account) }
        } catch MetadataError.conflict(let detail) {
            throw Self.accountExists(detail)
        }
        return try Self.answer(AccountDocument(account), status: .created)
    }

    private func createKey(_ body: ByteBuffer, of name: String) async throws -> HTTPResponse {
        let order = try Self.decode(body, as: KeyOrder.self)
        guard (order.accessKey == nil) == (order.secretKey == nil) else {
            throw Self.malformed("accessKey and secretKey come together, or neither")
        }
        let accessKey = order.accessKey ?? fresh(Self.accessKeyLength, of: "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567")
        let secretKey =
            order.secretKey ?? fresh(Self.secretKeyLength, of: "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/")
        guard Self.isName(accessKey), accessKey.utf8.count >= 3 else {
            throw Self.malformed("accessKey has 3 to 128 printable characters without blanks and slashes")
        }
        guard (8...256).contains(secretKey.utf8.count), Self.isPrintable(secretKey) else {
            throw Self.malformed("secretKey has 8 to 256 printable characters without blanks")
        }
        let account = try await account(name)
        guard accessKey != authenticator.root?.accessKey else { throw Self.keyExists("\(accessKey) is the root key") }
        let key = AccessKeyRecord(accessKey: accessKey, secretKey: secretKey, account: account.id, createdAt: time.now())
        do {
            try await asking { try await $0.createAccessKey(key) }
        } catch MetadataError.conflict(let detail) {
            throw Self.keyExists(detail)
        }
        return try Self.answer(NewKeyDocument(key), status: .created)
    }

    /// - Parameter change: false when there is no such key.
    private func done(
        _ accessKey: String, _ change: (any AccountStore, String) async throws -> Bool
    ) async throws -> HTTPResponse {
        guard try await asking({ try await change($0, accessKey) }) else {
            throw Problem(
                .notFound, "key-not-found", title: "There is no such access key", detail: "no access key has the name \(accessKey)")
        }
        return HTTPResponse(status: .noContent)
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

    /// The body of a request, when the root account has signed both.
    private func signedBody(_ request: HTTPRequest) async throws -> ByteBuffer {
        guard authenticator.root != nil else { throw Self.unsigned("the server's configuration has no root key") }
        let hash = try await signedHash(request)
        var bytes = ByteBuffer()
        for try await var part in request.body {
            bytes.writeBuffer(&part)
            guard bytes.readableBytes <= Self.longestBody else { throw Self.malformed("the body has more than \(Self.longestBody) bytes") }
        }
        var digest = SHA256Digest()
        digest.update(bytes)
        guard digest.hexadecimalText == hash else { throw Self.unsigned("the body is not the one that was signed") }
        return bytes
    }

    /// SHA-256 of the body, as the signature has it.
    private func signedHash(_ request: HTTPRequest) async throws -> String {
        let result: Authenticator.Result
        do {
            result = try await authenticator.authenticate(request, query: try QueryItems(request.target.query))
        } catch let error as S3Error {
            throw Self.unsigned(error.message)
        } catch let error as MetadataError {
            throw Self.failure(error)
        }
        guard result.identity == .root else {
            throw Self.unsigned(result.identity.isAnonymous ? "the request is not signed" : "the request is signed with another key")
        }
        guard case .hashed(let hash) = result.payload else { throw Self.unsigned("the signature has to cover the body") }
        return hash
    }

    private static func decode<Document: Decodable>(_ bytes: ByteBuffer, as _: Document.Type) throws -> Document {
        do {
            return try JSONDecoder().decode(Document.self, from: bytes.readableBytes == 0 ? Data("{}".utf8) : Data(bytes.readableBytesView))
        } catch let error as UnexpectedMember {
            throw malformed(error.detail)
        } catch {
            throw malformed("the body is not the JSON object that is expected here")
        }
    }

    /// - Throws: `MetadataError.conflict`, which says what is taken; ``Problem`` and `StoreError` for what else goes wrong.
    private func asking<Value>(_ body: (any AccountStore) async throws -> Value) async throws -> Value {
        do {
            return try await body(accounts)
        } catch let error as MetadataError {
            switch error {
            case .conflict: throw error
            case .noSuchAccount(let id):
                throw Problem(.notFound, "account-not-found", title: "There is no such account", detail: "no account has the id \(id)")
            default: throw Self.failure(error)
            }
        }
    }

    // MARK: Refusals

    private static func failure(_ error: MetadataError) -> StoreError {
        switch error {
        case .diskFull: .insufficientStorage(detail: "the metadata database has no room left")
        case .closed: .shuttingDown
        default: .metadataFailure(detail: "\(error)")
        }
    }

    private static func unsigned(_ detail: String) -> Problem {
        Problem(.forbidden, "root-key-required", title: "This needs to be signed with the root key", detail: detail)
    }

    private static func malformed(_ detail: String) -> Problem {
        Problem(.badRequest, "malformed-account-order", title: "This cannot be asked of accounts", detail: detail)
    }

    private static func accountExists(_ detail: String) -> Problem {
        Problem(.conflict, "account-exists", title: "The id or the e-mail address is taken", detail: detail)
    }

    private static func keyExists(_ detail: String) -> Problem {
        Problem(.conflict, "key-exists", title: "The access key is taken", detail: detail)
    }

    /// Whether it can stand in a path: keys are also parts of the credential of a signature, whose parts slashes part.
    private static func isName(_ text: String) -> Bool {
        (1...128).contains(text.utf8.count) && isPrintable(text) && !text.utf8.contains(UInt8(ascii: "/"))
    }

    private static func isPrintable(_ text: String) -> Bool { text.utf8.allSatisfy { (0x21...0x7E).contains($0) } }

    private static func isText(_ text: String) -> Bool {
        (1...256).contains(text.count) && text.unicodeScalars.allSatisfy { $0.value >= 0x20 && $0.value != 0x7F }
    }

    // MARK: Answers

    private static func answer(_ document: some Encodable, status: HTTPResponseStatus = .ok) throws -> HTTPResponse {
        try .json(document, status: status, headers: ["Cache-Control": "no-store"])
    }
}
