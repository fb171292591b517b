internal import Core
public import HTTPEdge
internal import NIOHTTP1

/// What has to be shown with every request that looks into a server or changes it: `Authorization: Bearer TOKEN` (RFC 6750).
public struct AdminToken: Sendable {
    private let expected: [UInt8]

    public init(_ token: String) { expected = Array(token.utf8) }

    /// - Throws: a ``Problem`` with status 401.
    func check(_ request: HTTPRequest) throws {
        let fields = request.headers["authorization"]
        let words = fields.first?.split(separator: " ", omittingEmptySubsequences: true) ?? []
        guard fields.count == 1, words.count == 2, words[0].lowercased() == "bearer", isSameSecret(words[1], expected) else {
            throw Problem(
                .unauthorized, "token-required", title: "This needs the admin token",
                detail: fields.isEmpty ? "the request has no Authorization: Bearer" : "the token is not the one that was set",
                fields: [.init("WWW-Authenticate", "Bearer realm=\"chunkflow\"")])
        }
    }
}

extension [Route] {
    /// The same routes, for those only who show the token. Nothing of a request is read before.
    public func demanding(_ token: AdminToken?) -> [Route] {
        guard let token else { return self }
        return map { $0.checked(by: token.check) }
    }
}
