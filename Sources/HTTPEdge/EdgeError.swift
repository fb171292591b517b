/// What the HTTP edge itself finds wrong with a request or a connection.
public enum EdgeError: Error, Hashable, Sendable {
    /// The request breaks the rules of HTTP. Answered with 400.
    case malformedRequest(detail: String)
    /// Its head is larger than ``HTTPLimits`` allow. Answered with 431.
    case headerTooLarge
    /// It expects something other than `100-continue`. Answered with 417.
    case expectationFailed
    /// Its head did not arrive in time. Answered with 408.
    case headerTimeout
    /// The client stopped sending in the middle of the body. Answered with 408.
    case bodyStalled
    /// The client ended the connection, or its sending, before the end of the body. Answered with 400, should it still listen.
    case bodyTruncated
    /// The body's chunked framing is broken. Answered with 400.
    case malformedBody(detail: String)
    /// More requests in flight, or connections, than ``HTTPLimits`` allow. Trying again later can help. Answered with 503.
    case overloaded
    /// The connection is gone: nobody is there to be answered.
    case connectionClosed
    /// A handler gave a response body of another length than it announced: a mistake of ours.
    case responseLengthMismatch(announced: Int64, written: Int64)
    /// No route has this path. Answered with 404.
    case noSuchRoute
    /// Routes have this path, with other methods. Answered with 405.
    case methodNotAllowed(allowed: [String])
}
