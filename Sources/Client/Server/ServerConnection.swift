internal import AsyncHTTPClient
internal import Foundation
package import NIOCore
internal import NIOHTTP1
internal import NIOPosix

/// The server's REST API as calls. Throws ``ClientError``, or `CancellationError`. Safe to call from any task.
package struct ServerConnection: Sendable {
    /// The longest answer, other than a file, that is read: a page of 1,000 files is about a third of a megabyte.
    private static let longestAnswer = 16 << 20
    private static let answerDeadline = TimeAmount.seconds(60)

    let server: ServerAddress
    /// Shown with every request; nil for none.
    private let token: String?
    private let client: HTTPClient

    /// Runs `body` with a connection and closes it afterwards.
    /// - Parameters:
    ///   - token: the admin token, where the server has one.
    ///   - patience: how long the server may send nothing.
    ///   - reused: how many connections are kept for further requests; nil for a new one each time.
    package static func with<Result: Sendable>(
        _ server: ServerAddress, token: String? = nil, patience: TimeAmount = .seconds(120), reusing reused: Int? = nil,
        _ body: (ServerConnection) async throws -> Result
    ) async throws -> Result {
        var configuration = HTTPClient.Configuration(redirectConfiguration: .disallow)
        configuration.timeout = .init(connect: .seconds(10), read: patience, write: .seconds(120))
        // Trying again is the caller's, who knows what may be repeated; a connection that the server has closed meanwhile would
        // look like one that broke in the middle of a request.
        configuration.connectionPool.retryConnectionEstablishment = false
        if let reused {
            configuration.connectionPool.concurrentHTTP1ConnectionsPerHostSoftLimit = reused
        } else {
            configuration.maximumUsesPerConnection = 1
        }
        let client = HTTPClient(eventLoopGroupProvider: .singleton, configuration: configuration)
        let outcome: Swift.Result<Result, any Error>
        do { outcome = .success(try await body(ServerConnection(server: server, token: token, client: client))) } catch {
            outcome = .failure(error)
        }
        // The outcome stands, whatever closing says.
        try? await client.shutdown()
        return try outcome.get()
    }

    // MARK: Files

    package func file(_ id: String) async throws -> FileDescription {
        try await answer(to: HTTPClientRequest(url: server.url(["files", id])), as: FileDescription.self)
    }

    /// - Returns: a page of files and what to ask for the next page with; nil after the last.
    package func files(after cursor: String?, limit: Int) async throws -> (files: [FileDescription], nextCursor: String?) {
        let query = [("limit", "\(limit)")] + (cursor.map { [("cursor", $0)] } ?? [])
        let page = try await answer(to: HTTPClientRequest(url: server.url(["files"], query: query)), as: FilePage.self)
        return (page.files, page.nextCursor)
    }

    package func delete(_ id: String) async throws {
        var request = HTTPClientRequest(url: server.url(["files", id]))
        request.method = .DELETE
        _ = try await answer(to: request)
    }

    // MARK: Content

    /// Sends the content of `source` as a new file.
    package func upload(_ source: some UploadContent, name: String, contentType: String) async throws -> FileDescription {
        var request = HTTPClientRequest(url: server.url(["upload"], query: [("name", name)]))
        request.method = .POST
        request.headers.add(name: "Content-Type", value: contentType)
        request.body = .stream(source, length: .known(source.byteCount))
        return try await answer(to: request, deadline: .distantFuture, as: FileDescription.self)
    }

    /// The content of a file from `offset` on.
    func download(_ file: FileDescription, from offset: Int64) async throws -> DownloadStream {
        var request = HTTPClientRequest(url: server.url(["download", file.fileID]))
        if offset > 0 {
            request.headers.add(name: "Range", value: "bytes=\(offset)-")
            // Without an ETag a range of something else could be appended to what is there.
            guard let etag = file.quotedETag else { throw ClientError.unexpectedAnswer(detail: "the file has no ETag") }
            request.headers.add(name: "If-Range", value: etag)
        }
        let response = try await send(request, deadline: .now() + Self.answerDeadline)
        return try DownloadStream(response, of: file, requestedOffset: offset)
    }

    /// What the server's clock says, as a header has it.
    package func date() async throws -> String {
        let response = try await send(HTTPClientRequest(url: server.url(["health", "live"])), deadline: .now() + .seconds(5))
        guard let date = response.headers.first(name: "Date") else {
            throw ClientError.unexpectedAnswer(detail: "an answer without a date")
        }
        return date
    }

    // MARK: Requests

    private func answer<Answer: Decodable>(
        to request: HTTPClientRequest, deadline: NIODeadline? = nil, as type: Answer.Type
    ) async throws -> Answer {
        try decode(type, from: try await answer(to: request, deadline: deadline))
    }

    func answer(to request: HTTPClientRequest, deadline: NIODeadline? = nil) async throws -> ByteBuffer {
        let response = try await send(request, deadline: deadline ?? .now() + Self.answerDeadline)
        return try await Self.mappingErrors { try await response.body.collect(upTo: Self.longestAnswer) }
    }

    func decode<Answer: Decodable>(_ type: Answer.Type, from bytes: ByteBuffer) throws -> Answer {
        do {
            return try JSONDecoder().decode(type, from: Data(bytes.readableBytesView))
        } catch {
            throw ClientError.unexpectedAnswer(detail: "is this a chunkFlow server? \(server) sent no \(type)")
        }
    }

    /// - Returns: a response of the 2xx class; the deadline is for its head.
    func send(_ request: HTTPClientRequest, deadline: NIODeadline) async throws -> HTTPClientResponse {
        var request = request
        // A signature stands in the same field, and is all that those requests need.
        if let token, !request.headers.contains(name: "Authorization") {
            request.headers.add(name: "Authorization", value: "Bearer \(token)")
        }
        let asked = request
        let response = try await Self.mappingErrors { try await client.execute(asked, deadline: deadline) }
        guard !(200..<300).contains(response.status.code) else { return response }
        let body = try? await response.body.collect(upTo: 64 << 10)
        let problem = body.flatMap { try? JSONDecoder().decode(Problem.self, from: Data($0.readableBytesView)) }
        let detail = problem?.text ?? "\(response.status.code) \(response.status.reasonPhrase.printable)"
        if problem?.type == Problem.nodeUnreachable { throw ClientError.nodeUnreachable(detail: detail) }
        switch response.status.code {
        case 404, 410: throw ClientError.notFound(detail: detail)
        case 429, 502, 503, 504:
            let seconds = response.headers.first(name: "Retry-After").flatMap { Int64($0) }
            throw ClientError.unavailable(detail: detail, retryAfter: seconds.map { .seconds(max(0, $0)) })
        default: throw ClientError.refused(status: Int(response.status.code), detail: detail)
        }
    }

    /// Runs `work` and gives its errors the names that they have here.
    static func mappingErrors<Value>(_ work: () async throws -> Value) async throws -> Value {
        do {
            return try await work()
        } catch let error as ClientError {
            throw error
        } catch let error as CancellationError {
            throw error
        } catch let error as NIOConnectionError {
            let cause: (any Error)? = error.connectionErrors.first?.error ?? error.dnsAError ?? error.dnsAAAAError
            let detail = (cause as? IOError).map { String(cString: strerror($0.errnoCode)) } ?? cause.map { "\($0)" } ?? "unknown host"
            throw ClientError.unreachable(detail: "\(error.host):\(error.port): \(detail)")
        } catch let error as IOError {
            let detail = String(cString: strerror(error.errnoCode))
            // The only code that none but connecting gives.
            throw error.errnoCode == ECONNREFUSED ? ClientError.unreachable(detail: detail) : .connectionLost(detail: detail)
        } catch let error as HTTPClientError {
            if error == .cancelled { throw CancellationError() }
            if error == .connectTimeout { throw ClientError.unreachable(detail: error.shortDescription) }
            throw ClientError.connectionLost(detail: error.shortDescription)
        } catch {
            throw ClientError.connectionLost(detail: "\(error)")
        }
    }
}

extension FileDescription {
    /// As it stands in a header.
    fileprivate var quotedETag: String? { etag.map { $0.hasPrefix("\"") ? $0 : "\"\($0)\"" } }
}
