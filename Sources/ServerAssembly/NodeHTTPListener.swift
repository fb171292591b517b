internal import AdminAPI
internal import Core
internal import HTTPEdge
internal import Logging
internal import ServiceLifecycle
internal import Settings
import Synchronization

/// The HTTP side of a storage node: metrics and health checks.
struct NodeHTTPListener: Sendable {
    private let server: HTTPServer
    private let ready: Readiness

    private final class Readiness: Sendable {
        let isReady = Atomic(false)
    }

    var address: HostPort { server.address }
    var service: any Service { server }

    /// - Returns: nil when the address is taken and nobody asked for it: several nodes on one machine need no settings to start.
    /// - Throws: ``StartError``.
    static func bind(_ settings: StorageSettings, logger: Logger) async throws -> NodeHTTPListener? {
        let ready = Readiness()
        var limits = HTTPLimits()
        limits.shutdownTime = settings.process.shutdownTimeout
        let router = Router(
            routes: NodeRoutes.administration(metrics: ServerMetrics.registry, logLevel: ServerProcess.logLevelRoutes(logger))
                .demanding(settings.process.adminToken.map { AdminToken($0.revealed) })
                + NodeRoutes.health(isReady: { ready.isReady.load(ordering: .relaxed) }),
            problem: { _ in nil })
        do {
            let server = try await ServerProcess.listening("http", at: settings.http) {
                try await HTTPServer.bind(to: settings.http, api: "node", responder: router, limits: limits, logger: logger)
            }
            return NodeHTTPListener(server: server, ready: ready)
        } catch let error as StartError where settings.isHTTPOptional {
            logger.notice("no metrics and health checks over HTTP: give --http another address", metadata: ["error": "\(error)"])
            return nil
        }
    }

    func noteReady() { ready.isReady.store(true, ordering: .relaxed) }
}
