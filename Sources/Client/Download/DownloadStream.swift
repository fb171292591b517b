internal import AsyncHTTPClient
internal import Core
internal import NIOCore
internal import NIOHTTP1

/// The content of a file as it arrives.
struct DownloadStream {
    /// Where in the file it begins: what was asked for, or 0 when the server sends all of it.
    let offset: Int64
    private let body: HTTPClientResponse.Body

    /// - Throws: ``ClientError/unexpectedAnswer(detail:)`` when the response is not the content of `file` from there on.
    init(_ response: HTTPClientResponse, of file: FileDescription, requestedOffset: Int64) throws {
        switch response.status {
        case .ok: offset = 0
        case .partialContent:
            let range = response.headers.first(name: "Content-Range") ?? ""
            guard range == "bytes \(requestedOffset)-\(file.size - 1)/\(file.size)" else {
                throw ClientError.unexpectedAnswer(detail: "asked for bytes from \(requestedOffset), got \(range.debugDescription)")
            }
            offset = requestedOffset
        default: throw ClientError.unexpectedAnswer(detail: "status \(response.status.code) to a download")
        }
        body = response.body
    }

    /// Gives everything that arrives to `take`, in order.
    func read(_ take: (ByteBuffer) throws -> Void) async throws {
        try await ServerConnection.mappingErrors {
            for try await buffer in body where buffer.readableBytes > 0 { try take(buffer) }
        }
    }

    /// Passes everything on to `queue`, and ends it. What it throws comes when all that arrived is in the queue.
    func pump(into queue: BoundedQueue<ByteBuffer>) async throws {
        defer { queue.finish() }
        try await ServerConnection.mappingErrors {
            for try await buffer in body where buffer.readableBytes > 0 { try await queue.send(buffer) }
        }
    }
}
