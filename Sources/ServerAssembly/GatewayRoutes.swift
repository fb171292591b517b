package import AdminAPI
package import Core
package import HTTPEdge
package import Metadata
package import ObjectStore
package import PrometheusMetrics
internal import RESTAPI
package import S3API

/// What is at the HTTP addresses of a distributor. Every route is described in `Sources/APIDescription/openapi.yaml`: a test compares.
package enum GatewayRoutes {
    /// For who uses the store, in the order in which they are tried.
    package static func client<Store: FileStore>(_ store: Store) -> [Route] {
        RESTRoutes(store: store).routes + AdminRoutes(store: store).healthRoutes + DescriptionRoutes().routes
    }

    /// For everybody, beside those of ``client(_:)``: objects of any bucket.
    package static func objects(_ read: @escaping PublicObjectRoutes.Reading) -> [Route] { PublicObjectRoutes(read).routes }

    /// For who runs it: at an address of their own, or behind a token, where the settings say so.
    package static func administration<Store: FileStore>(
        _ store: Store, _ administration: any ClusterAdministration, backups: BackupRoutes, metrics: MetricsRegistry, logLevel: [Route]
    ) -> [Route] {
        MetricsRoutes(registry: metrics).routes + AdminRoutes(store: store).clusterRoutes + AdministrationRoutes(administration).routes
            + backups.routes + logLevel
    }

    /// For who has the root key. Their signature stands where others show the admin token, which is not asked for here.
    package static func accounts(
        _ accounts: any AccountStore, rootKey: (accessKey: String, secretKey: String)?, time: any TimeSource, random: any RandomSource
    ) -> [Route] {
        AccountRoutes(accounts, rootKey: rootKey, time: time, random: random).routes
    }
}
