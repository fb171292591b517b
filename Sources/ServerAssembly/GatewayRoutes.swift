package import AdminAPI
package import HTTPEdge
package import ObjectStore
package import PrometheusMetrics
internal import RESTAPI

/// What is at the HTTP address of a distributor. Every route is described in `Sources/APIDescription/openapi.yaml`: a test compares.
package enum GatewayRoutes {
    /// In the order in which they are tried.
    package static func all<Store: FileStore>(
        _ store: Store, _ administration: any ClusterAdministration, backups: BackupRoutes, metrics: MetricsRegistry
    ) -> [Route] {
        MetricsRoutes(registry: metrics).routes + RESTRoutes(store: store).routes + AdminRoutes(store: store).routes
            + AdministrationRoutes(administration).routes + backups.routes + DescriptionRoutes().routes
    }
}
