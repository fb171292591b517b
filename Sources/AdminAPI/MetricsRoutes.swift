public import HTTPEdge
internal import NIOCore
internal import NIOHTTP1
public import PrometheusMetrics

/// `GET /metrics`, in the form that whoever asks prefers.
public struct MetricsRoutes: Sendable {
    private let registry: MetricsRegistry

    public init(registry: MetricsRegistry) { self.registry = registry }

    public var routes: [Route] {
        [
            Route(.GET, "/metrics") { request, _ in
                let format = ExpositionFormat(accept: request.headers["accept"].joined(separator: ","))
                let text = await registry.exposition(format)
                return HTTPResponse(
                    status: .ok, headers: ["Content-Type": format.contentType, "Cache-Control": "no-store"],
                    body: .bytes(ByteBuffer(string: text)))
            }
        ]
    }
}

/// Whether a storage node lives: what its HTTP listener has beside its metrics.
public struct NodeHealthRoutes: Sendable {
    /// Whether the node answers its clients.
    private let isReady: @Sendable () -> Bool

    public init(isReady: @escaping @Sendable () -> Bool) { self.isReady = isReady }

    public var routes: [Route] {
        [HTTPMethod.GET, .HEAD].flatMap { method in
            [
                Route(method, "/health/live") { _, _ in try .json(["status": "live"], headers: ["Cache-Control": "no-store"]) },
                Route(method, "/health/ready") { _, _ in
                    guard isReady() else {
                        throw Problem(
                            .serviceUnavailable, "not-ready", title: "The node does not serve yet", fields: [.init("Retry-After", "1")])
                    }
                    return try .json(["status": "ready"], headers: ["Cache-Control": "no-store"])
                },
            ]
        }
    }
}
