import ClusterService
import Core
import ErasureCoding
import Logging
import ObjectStore
import StorageService
import Synchronization

/// A cluster that admits nodes as a test tells it to.
final class ScriptedAdministration: ClusterAdministration {
    struct NotScripted: Error {}

    static let answer = JoinAnswer(cluster: ClusterID(uuid: UUIDv7(high: 3, low: 4)), layoutVersion: 7)

    private struct State {
        var requests: [JoinRequest] = []
        var behaviour: @Sendable (JoinRequest) async throws -> JoinAnswer = { _ in ScriptedAdministration.answer }
    }

    private let state = Mutex(State())

    var requests: [JoinRequest] { state.withLock { $0.requests } }

    func behave(_ behaviour: @escaping @Sendable (JoinRequest) async throws -> JoinAnswer) {
        state.withLock { $0.behaviour = behaviour }
    }

    func join(_ request: JoinRequest) async throws -> JoinAnswer {
        let behaviour = state.withLock { state in
            state.requests.append(request)
            return state.behaviour
        }
        return try await behaviour(request)
    }

    func clusterStatus() async throws -> ClusterStatus { throw NotScripted() }
    func layoutStatus() async throws -> LayoutStatus { throw NotScripted() }
    func plan(_ change: LayoutChange) async throws -> LayoutPlan { throw NotScripted() }
    func planAddition(at address: String) async throws -> LayoutPlan { throw NotScripted() }
    func apply(_ change: LayoutChange, force: Bool) async throws -> LayoutPlan { throw NotScripted() }
    func addNode(at address: String) async throws -> NodeID { throw NotScripted() }
    func buckets(after name: String?, limit: Int) async throws -> [BucketStatus] { throw NotScripted() }
    func setStorageClass(_ storageClass: StorageClass?, ofBucket name: String, reencode: Bool) async throws -> BucketStatus {
        throw NotScripted()
    }
    func setBackgroundPaused(_ isPaused: Bool) async throws { throw NotScripted() }
}

extension RunningServer {
    /// A distributor's listener, of which nothing else is there.
    static func start(
        _ administration: any ClusterAdministration, listen: HostPort = ClusterFixture.loopback, secret: String? = nil,
        time: any TimeSource = SystemTime(), logger: Logger = ClusterFixture.logger
    ) async throws -> RunningServer {
        try await start(ClusterServer.membership(administration, listen: listen, secret: secret, time: time, logger: logger))
    }
}

/// Keeps what is logged.
final class LogRecord: Sendable {
    private let lines = Mutex<[String]>([])

    /// `level message key=value ...`, the keys in alphabetical order.
    var all: [String] { lines.withLock { $0 } }
    var logger: Logger { Logger(label: "test", factory: { _ in Handler(record: self) }) }

    private struct Handler: LogHandler {
        let record: LogRecord
        var metadata: Logger.Metadata = [:]
        var logLevel = Logger.Level.debug

        subscript(metadataKey key: String) -> Logger.Metadata.Value? {
            get { metadata[key] }
            set { metadata[key] = newValue }
        }

        func log(event: LogEvent) {
            let values = metadata.merging(event.metadata ?? [:]) { $1 }.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }
            record.lines.withLock { $0.append((["\(event.level) \(event.message)"] + values).joined(separator: " ")) }
        }
    }
}
