internal import Core
internal import FoundationEssentials
internal import NIOCore
public import NIOHTTP1

/// An error as clients see it: problem details after RFC 9457.
public struct Problem: Error, Hashable, Sendable {
    public let status: HTTPResponseStatus
    /// The stable name of the kind of problem, in kebab case: the end of the `type` URI, `urn:chunkflow:problem:` before it.
    public let kind: String
    /// What the kind of problem is called; the same for all of a kind.
    public let title: String
    /// What happened this time.
    public let detail: String?
    /// Fields for the response, for example `Allow`.
    public let fields: [Field]

    public struct Field: Hashable, Sendable {
        public let name: String
        public let value: String

        public init(_ name: String, _ value: String) {
            self.name = name
            self.value = value
        }
    }

    public init(_ status: HTTPResponseStatus, _ kind: String, title: String, detail: String? = nil, fields: [Field] = []) {
        self.status = status
        self.kind = kind
        self.title = title
        self.detail = detail
        self.fields = fields
    }

    /// The answer, with the request's id as a member, to be found in the logs.
    public func response(for request: FailedRequest) -> HTTPResponse {
        let document = Document(
            type: "urn:chunkflow:problem:" + kind, title: title, status: Int(status.code), detail: detail, instance: request.target?.path,
            requestID: request.id)
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        // A struct of strings and a number: it has no value that JSON could not write.
        let json = (try? encoder.encode(document)) ?? Data("{}".utf8)
        var headers: HTTPHeaders = ["Content-Type": "application/problem+json"]
        for field in fields { headers.add(name: field.name, value: field.value) }
        return HTTPResponse(status: status, headers: headers, body: .bytes(ByteBuffer(bytes: json)))
    }

    private struct Document: Encodable {
        let type: String
        let title: String
        let status: Int
        let detail: String?
        let instance: String?
        let requestID: String
    }
}

extension Problem {
    /// The problem that stands for an error of the edge.
    public init(_ error: EdgeError) {
        switch error {
        case .malformedRequest(let detail):
            self.init(.badRequest, "malformed-request", title: "The request is malformed", detail: detail)
        case .headerTooLarge:
            self.init(.requestHeaderFieldsTooLarge, "header-too-large", title: "The request's header is too large")
        case .expectationFailed:
            self.init(.expectationFailed, "expectation-failed", title: "The only expectation that can be met is 100-continue")
        case .headerTimeout: self.init(.requestTimeout, "header-timeout", title: "The request's header did not arrive in time")
        case .bodyStalled: self.init(.requestTimeout, "body-stalled", title: "The request's body stopped arriving")
        case .bodyTruncated: self.init(.badRequest, "body-truncated", title: "The request's body ended early")
        case .malformedBody(let detail):
            self.init(.badRequest, "malformed-body", title: "The request's body is malformed", detail: detail)
        case .overloaded:
            self.init(
                .serviceUnavailable, "overloaded", title: "Too many requests are being worked on", fields: [Field("Retry-After", "1")])
        case .connectionClosed, .responseLengthMismatch: self = .internalError
        case .noSuchRoute: self.init(.notFound, "no-such-route", title: "There is nothing at this path")
        case .methodNotAllowed(let allowed):
            self.init(
                .methodNotAllowed, "method-not-allowed", title: "This path has other methods",
                fields: [Field("Allow", allowed.joined(separator: ", "))])
        }
    }

    /// For errors that nobody foresaw. Tells nothing of them: that is in the log, under the request's id.
    public static let internalError = Problem(.internalServerError, "internal-error", title: "The server failed")
}
