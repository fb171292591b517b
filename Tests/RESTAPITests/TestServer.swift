import AdminAPI
import Core
import HTTPEdge
import Logging
import NIOCore
import ObjectStore
import RESTAPI
import Synchronization
import Testing

/// A server over a ``MemoryFileStore``, on a port of its own.
struct TestServer: Sendable {
    let store: MemoryFileStore
    let server: HTTPServer
    let log: LogCollector

    var address: HostPort { server.address }

    func connect(reads: Bool = true) async throws -> RawClient { try await RawClient.connect(to: address, reads: reads) }

    /// Runs `body` against a server, and the server to its end.
    static func run(
        limits: HTTPLimits = HTTPLimits(), rest: RESTLimits = RESTLimits(), extra: [Route] = [],
        _ body: @escaping @Sendable (TestServer) async throws -> Void
    ) async throws {
        let store = MemoryFileStore()
        let log = LogCollector()
        let logger = Logger(label: "test") { _ in log.handler() }
        let server = try await HTTPServer.bind(
            to: HostPort(host: "127.0.0.1", port: 0), responder: router(store: store, rest: rest, extra: extra), limits: limits,
            logger: logger)
        let test = TestServer(store: store, server: server, log: log)
        try await withThrowingTaskGroup { group in
            group.addTask { try await server.run() }
            let outcome: Result<Void, any Error>
            do {
                outcome = .success(try await body(test))
            } catch {
                outcome = .failure(error)
            }
            store.uploadGate.open()
            group.cancelAll()
            try await group.waitForAll()
            try outcome.get()
        }
    }

    static func router(store: MemoryFileStore, rest: RESTLimits = RESTLimits(), extra: [Route] = []) -> Router {
        Router(routes: extra + RESTRoutes(store: store, limits: rest).routes + AdminRoutes(store: store).routes, problem: storeProblem)
    }

    /// Waits for `condition`, 20 s at most.
    func eventually(_ claim: Comment, _ condition: @Sendable () -> Bool, sourceLocation: SourceLocation = #_sourceLocation) async throws {
        let deadline = ContinuousClock.now + .seconds(20)
        while !condition() {
            guard ContinuousClock.now < deadline else {
                Issue.record(claim, sourceLocation: sourceLocation)
                return
            }
            try await Task.sleep(for: .milliseconds(5))
        }
    }

    /// Waits until nobody is accepted any more, 20 s at most.
    func eventuallyRefused(sourceLocation: SourceLocation = #_sourceLocation) async throws {
        let deadline = ContinuousClock.now + .seconds(20)
        while let client = try? await connect() {
            client.close()
            guard ContinuousClock.now < deadline else {
                Issue.record("connections are still accepted", sourceLocation: sourceLocation)
                return
            }
        }
    }
}

/// What was logged, as a handler for text would have written it.
final class LogCollector: Sendable {
    private let collected = Mutex<[String]>([])

    var lines: [String] { collected.withLock { $0 } }

    func handler() -> some LogHandler { Handler(collector: self) }

    private struct Handler: LogHandler {
        let collector: LogCollector
        var metadata: Logger.Metadata = [:]
        var logLevel = Logger.Level.info
        var metadataProvider: Logger.MetadataProvider?

        subscript(metadataKey key: String) -> Logger.Metadata.Value? {
            get { metadata[key] }
            set { metadata[key] = newValue }
        }

        func log(event: LogEvent) {
            let pairs = metadata.merging(event.metadata ?? [:]) { $1 }.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }
            collector.collected.withLock { $0.append("\(event.level) \(event.message) \(pairs.joined(separator: " "))") }
        }
    }
}
