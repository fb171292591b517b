internal import ClusterProtocol
public import Core
internal import GRPCCore
public import Logging
public import ObjectStore
public import StorageService

extension ClusterServer {
    /// How long nodes that are being admitted may hold up a shutdown. What is cut off they ask again.
    private static let membershipShutdownTimeout = Duration.seconds(1)

    /// A distributor's listener, where storage nodes join.
    /// - Parameters:
    ///   - administration: what the calls go to.
    ///   - listen: where to listen; the host must be an IP address or `localhost`.
    ///   - secret: demanded with every call but health checks; nil for none.
    public static func membership(
        _ administration: any ClusterAdministration, listen: HostPort, secret: String?, time: any TimeSource = SystemTime(),
        logger: Logger
    ) -> ClusterServer {
        ClusterServer(
            services: [MembershipService(administration: administration)], names: [Chunkflow_Cluster_V1_Membership.descriptor],
            interceptors: [RefusalLogInterceptor(.allFailures, time: time, logger: logger)], listen: listen, secret: secret,
            shutdownTimeout: membershipShutdownTimeout, time: time, logger: logger)
    }
}
