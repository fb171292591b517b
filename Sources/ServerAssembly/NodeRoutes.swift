internal import AdminAPI
package import HTTPEdge
package import PrometheusMetrics

/// What is at the HTTP address of a storage node: a part of what a distributor has there, and described with it.
package enum NodeRoutes {
    package static func health(isReady: @escaping @Sendable () -> Bool) -> [Route] { NodeHealthRoutes(isReady: isReady).routes }

    /// For who runs it: behind a token, where the settings say so.
    package static func administration(metrics: MetricsRegistry, logLevel: [Route]) -> [Route] {
        MetricsRoutes(registry: metrics).routes + logLevel
    }
}
