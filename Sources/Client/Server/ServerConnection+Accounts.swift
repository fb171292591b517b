internal import AsyncHTTPClient
internal import Foundation
internal import NIOCore
internal import NIOHTTP1
internal import SignatureV4

/// The root key of a server's configuration.
package struct RootKey: Sendable {
    let accessKey: String
    let secretKey: String

    package init(accessKey: String, secretKey: String) {
        self.accessKey = accessKey
        self.secretKey = secretKey
    }
}

/// What the root account asks: accounts and their keys. Each call signs anew, so that it can be repeated later.
extension ServerConnection {
    package func createAccount(_ order: NewAccount, _ root: RootKey) async throws -> ServerDocument<AccountDescription> {
        try await signed(.POST, ["accounts"], order, root)
    }

    package func accounts(_ root: RootKey) async throws -> ServerDocument<AccountList> {
        try await signed(.GET, ["accounts"], nil as NewAccount?, root)
    }

    package func createKey(_ order: NewKey, of account: String, _ root: RootKey) async throws -> ServerDocument<KeyPair> {
        try await signed(.POST, ["accounts", account, "keys"], order, root)
    }

    package func keys(of account: String, _ root: RootKey) async throws -> ServerDocument<KeyList> {
        try await signed(.GET, ["accounts", account, "keys"], nil as NewKey?, root)
    }

    package func setKey(_ accessKey: String, enabled: Bool, _ root: RootKey) async throws {
        _ = try await answer(to: signedRequest(.PUT, ["keys", accessKey], ["enabled": enabled], root))
    }

    package func deleteKey(_ accessKey: String, _ root: RootKey) async throws {
        _ = try await answer(to: signedRequest(.DELETE, ["keys", accessKey], nil as NewKey?, root))
    }

    private func signed<Answer: Decodable & Sendable>(
        _ method: HTTPMethod, _ path: [String], _ body: (some Encodable)?, _ root: RootKey
    ) async throws -> ServerDocument<Answer> {
        let bytes = try await answer(to: signedRequest(method, path, body, root))
        return ServerDocument(description: try decode(Answer.self, from: bytes), text: String(buffer: bytes))
    }

    private func signedRequest(
        _ method: HTTPMethod, _ path: [String], _ body: (some Encodable)?, _ root: RootKey
    ) throws -> HTTPClientRequest {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        let bytes = try body.map { Array(try encoder.encode($0)) } ?? []
        let url = server.url(path)
        guard let components = URLComponents(string: url), let host = components.host else {
            throw ClientError.unexpectedAnswer(detail: "\(url) is no URL")
        }
        let field = components.port.map { "\(host):\($0)" } ?? host
        let style = Date.ISO8601FormatStyle(dateSeparator: .omitted, timeSeparator: .omitted)
        var request = HTTPClientRequest(url: url)
        request.method = method
        request.headers.add(name: "Host", value: field)
        let signer = RequestSigner(accessKey: root.accessKey, secretKey: root.secretKey)
        for (name, value) in signer.fields(
            method: method.rawValue, path: components.path, host: field, body: bytes, time: Date().formatted(style))
        {
            request.headers.add(name: name, value: value)
        }
        if !bytes.isEmpty {
            request.headers.add(name: "Content-Type", value: "application/json")
            request.body = .bytes(ByteBuffer(bytes: bytes))
        }
        return request
    }
}

package struct NewAccount: Encodable, Sendable {
    let id: String
    let displayName: String
    let email: String?
    let tenant: String?

    package init(id: String, displayName: String, email: String?, tenant: String?) {
        self.id = id
        self.displayName = displayName
        self.email = email
        self.tenant = tenant
    }
}

package struct NewKey: Encodable, Sendable {
    let accessKey: String?
    let secretKey: String?

    package init(accessKey: String?, secretKey: String?) {
        self.accessKey = accessKey
        self.secretKey = secretKey
    }
}

package struct AccountDescription: Decodable, Sendable {
    package let id: String
    package let displayName: String
    package let email: String?
    package let tenant: String?
}

package struct AccountList: Decodable, Sendable { package let accounts: [AccountDescription] }

package struct KeyPair: Decodable, Sendable {
    package let accessKey: String
    package let secretKey: String
}

package struct KeyDescription: Decodable, Sendable {
    package let accessKey: String
    package let enabled: Bool
    package let createdAt: String
}

package struct KeyList: Decodable, Sendable { package let keys: [KeyDescription] }
