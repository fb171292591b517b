public import NIOCore
public import NIOHTTP1

/// An answer. The edge adds `Content-Length`, `Date`, `X-Request-ID` and `Connection`, and leaves out the body where HTTP has none.
public struct HTTPResponse: Sendable {
    public enum Body: Sendable {
        case empty
        case bytes(ByteBuffer)
        /// `byteCount` bytes, written by `produce`. The head is sent with the first of them: what `produce` throws before is
        /// answered as if the handler had thrown it, what it throws later breaks the connection, so that no client can take
        /// part of a body for the whole.
        case stream(byteCount: Int64, produce: @Sendable (ResponseBodyWriter) async throws -> Void)
        /// The head of a body of `byteCount` bytes without the body: for HEAD.
        case headOnly(byteCount: Int64)
    }

    public var status: HTTPResponseStatus
    public var headers: HTTPHeaders
    public var body: Body
    /// The template of the path that matched, for the access log, for example `/download/{fileID}`.
    public var route: String?

    public init(status: HTTPResponseStatus, headers: HTTPHeaders = [:], body: Body = .empty, route: String? = nil) {
        self.status = status
        self.headers = headers
        self.body = body
        self.route = route
    }

    /// Bytes of the body, as `Content-Length` has them.
    public var byteCount: Int64 {
        switch body {
        case .empty: 0
        case .bytes(let buffer): Int64(buffer.readableBytes)
        case .stream(let byteCount, _), .headOnly(let byteCount): byteCount
        }
    }
}

/// Where the bytes of a streamed response go.
public struct ResponseBodyWriter: Sendable {
    private let send: @Sendable (ByteBuffer) async throws -> Void

    public init(_ send: @escaping @Sendable (ByteBuffer) async throws -> Void) { self.send = send }

    /// Sends the next bytes; returns when the client has taken enough of what was sent before.
    /// - Throws: ``EdgeError/connectionClosed`` when the client has gone.
    public func write(_ bytes: ByteBuffer) async throws { try await send(bytes) }
}
