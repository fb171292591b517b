internal import Core
public import Logging
public import NIOHTTP1

/// A request whose head has arrived and whose body may still be on its way.
public struct HTTPRequest: Sendable {
    /// Names the request in the `X-Request-ID` of its answer and in every log line. At most 64 characters of `[A-Za-z0-9._-]`.
    public let id: String
    public let method: HTTPMethod
    public let target: RequestTarget
    public let headers: HTTPHeaders
    public let body: RequestBody
    /// The client's address, without port; empty where it is not known.
    public let peer: String
    private let baseLogger: Logger

    public init(
        id: String, method: HTTPMethod, target: RequestTarget, headers: HTTPHeaders = [:], body: RequestBody = RequestBody([]),
        peer: String = "", logger: Logger
    ) {
        self.id = id
        self.method = method
        self.target = target
        self.headers = headers
        self.body = body
        self.peer = peer
        baseLogger = logger
    }

    /// A logger whose lines carry the request's id.
    public var logger: Logger {
        var logger = baseLogger
        logger[metadataKey: "request_id"] = .string(id)
        return logger
    }

    /// Bytes of the body as the client announced them; nil for a body of unknown length (chunked).
    public var contentLength: Int64? {
        guard let text = headers.first(name: "content-length") else { return headers.contains(name: "transfer-encoding") ? nil : 0 }
        return Int64(text)
    }
}

extension RequestID {
    /// Takes over what the client proposes if it is harmless, else makes a fresh one.
    static func choose(proposed: String?, time: any TimeSource, random: any RandomSource) -> String {
        if let proposed, isAcceptable(proposed) { return proposed }
        return UUIDv7(time: time.now(), random: random).description
    }
}
