internal import AsyncHTTPClient
internal import Core
internal import NIOCore
internal import NIOHTTP1

extension ServerConnection {
    /// A snapshot of the metadata. The server makes it before it answers, which takes time.
    func metadataBackup() async throws -> BackupStream {
        let request = HTTPClientRequest(url: server.url(["cluster", "metadata", "backup"]))
        return try BackupStream(try await send(request, deadline: .distantFuture))
    }
}

/// A snapshot of the metadata as it arrives.
struct BackupStream {
    let byteCount: Int64
    /// The member for SHA-256 of `Repr-Digest` (RFC 9530).
    let digestText: String
    private let body: HTTPClientResponse.Body

    /// - Throws: ``ClientError/unexpectedAnswer(detail:)`` when the answer does not say what is needed to check it.
    init(_ response: HTTPClientResponse) throws {
        let digests = response.headers[canonicalForm: "Repr-Digest"]
        guard let byteCount = response.headers.first(name: "Content-Length").flatMap({ Int64($0) }), byteCount > 0,
            let digest = digests.first(where: { $0.hasPrefix("sha-256=:") })
        else { throw ClientError.unexpectedAnswer(detail: "a backup without a length or a digest") }
        self.byteCount = byteCount
        digestText = String(digest)
        body = response.body
    }

    /// Gives everything that arrives to `take`, in order.
    func read(_ take: (ByteBuffer) async throws -> Void) async throws {
        try await ServerConnection.mappingErrors {
            for try await buffer in body where buffer.readableBytes > 0 { try await take(buffer) }
        }
    }
}
