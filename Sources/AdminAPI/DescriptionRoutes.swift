internal import APIDescription
public import HTTPEdge
internal import NIOCore
internal import NIOHTTP1

/// What the API is, for programs and for people.
public struct DescriptionRoutes: Sendable {
    public init() {}

    public var routes: [Route] {
        [
            Route(.GET, "/openapi.yaml") { _, _ in
                Self.answer(ByteBuffer(bytes: APIDescription.yaml), headers: ["Content-Type": "application/yaml"])
            },
            Route(.GET, "/openapi.json") { _, _ in
                Self.answer(ByteBuffer(string: try APIDescription.load().json), headers: ["Content-Type": "application/json"])
            },
            Route(.GET, "/docs") { _, _ in
                let page = try APIDescription.load().page
                return Self.answer(
                    ByteBuffer(string: page.html),
                    headers: [
                        "Content-Type": "text/html; charset=utf-8", "Content-Security-Policy": page.contentSecurityPolicy,
                        "X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer",
                    ])
            },
        ]
    }

    /// Whoever asks again after an update gets what is true then.
    private static func answer(_ body: ByteBuffer, headers: HTTPHeaders) -> HTTPResponse {
        var headers = headers
        headers.add(name: "Cache-Control", value: "no-cache")
        return HTTPResponse(status: .ok, headers: headers, body: .bytes(body))
    }
}
