/// What an ``HTTPServer`` serves.
public protocol HTTPResponder: Sendable {
    /// Answers a request. What it throws is answered by ``response(to:for:)``. Cancelled when the client has gone.
    func respond(to request: HTTPRequest) async throws -> HTTPResponse

    /// The answer for an error, thrown by ``respond(to:)`` or found by the edge itself (``EdgeError``). Its body is ``HTTPResponse/Body/bytes(_:)``.
    func response(to error: any Error, for request: FailedRequest) -> HTTPResponse
}

/// What is known of a request that failed: little, when its head could not be read.
public struct FailedRequest: Sendable {
    public let id: String
    /// nil when the head could not be read.
    public let target: RequestTarget?

    public init(id: String, target: RequestTarget?) {
        self.id = id
        self.target = target
    }
}
