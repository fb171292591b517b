internal import AdminAPI
package import HTTPEdge
package import PrometheusMetrics

/// What is at the HTTP address of a storage node: a part of what a distributor has there, and described with it.
package enum NodeRoutes {
    package static func all(isReady: @escaping @Sendable () -> Bool, metrics: MetricsRegistry) -> [Route] {
        MetricsRoutes(registry: metrics).routes + NodeHealthRoutes(isReady: isReady).routes
    }
}
