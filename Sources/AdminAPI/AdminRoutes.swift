internal import Core
public import HTTPEdge
internal import NIOHTTP1
public import ObjectStore

/// Health checks and the state of the cluster.
public struct AdminRoutes<Store: FileStore>: Sendable {
    private let store: Store

    public init(store: Store) { self.store = store }

    public var routes: [Route] { healthRoutes + clusterRoutes }

    /// For everybody.
    public var healthRoutes: [Route] {
        [HTTPMethod.GET, .HEAD].flatMap { method in
            [
                // Whoever asks wants to know whether to restart the process: that it answers is all there is to say.
                Route(method, "/health/live") { _, _ in try Self.uncached(HealthDocument(status: "live")) },
                Route(method, "/health/ready") { _, _ in
                    try store.checkWritable()
                    return try Self.uncached(HealthDocument(status: "ready"))
                },
            ]
        }
    }

    public var clusterRoutes: [Route] {
        [HTTPMethod.GET, .HEAD].map { method in
            Route(method, "/cluster") { _, _ in try Self.uncached(ClusterDocument(try await store.clusterStatus())) }
        }
    }

    private static func uncached(_ document: some Encodable) throws -> HTTPResponse {
        try .json(document, headers: ["Cache-Control": "no-store"])
    }
}

private struct HealthDocument: Encodable {
    let status: String
}
