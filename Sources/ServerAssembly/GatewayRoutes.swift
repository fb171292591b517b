package import AdminAPI
package import HTTPEdge
package import ObjectStore
package import PrometheusMetrics
internal import RESTAPI

/// What is at the HTTP addresses of a distributor. Every route is described in `Sources/APIDescription/openapi.yaml`: a test compares.
package enum GatewayRoutes {
    /// For who uses the store, in the order in which they are tried.
    package static func client<Store: FileStore>(_ store: Store) -> [Route] {
        RESTRoutes(store: store).routes + AdminRoutes(store: store).healthRoutes + DescriptionRoutes().routes
    }

    /// For who runs it: at an address of their own, or behind a token, where the settings say so.
    package static func administration<Store: FileStore>(
        _ store: Store, _ administration: any ClusterAdministration, backups: BackupRoutes, metrics: MetricsRegistry, logLevel: [Route]
    ) -> [Route] {
        MetricsRoutes(registry: metrics).routes + AdminRoutes(store: store).clusterRoutes + AdministrationRoutes(administration).routes
            + backups.routes + logLevel
    }
}
