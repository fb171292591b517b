import ChunkTransport
import ClusterProtocol
import Core
import GRPCCore
import GRPCProtobuf
import StorageService
import Synchronization
import Testing

@Suite("The client's request, across servers")
struct RequestScopeTests {
    private static let id = ClusterFixture.id()

    /// The requests that a node was called for.
    private final class Seen: Sendable {
        private let ids = Mutex<[String?]>([])
        var all: [String?] { ids.withLock { $0 } }
        func note() { ids.withLock { $0.append(RequestScope.id) } }
    }

    private static func observed(_ seen: Seen) -> MemoryNode {
        let node = MemoryNode()
        node.store(id, [1, 2, 3])
        node.behave { behaviour in
            behaviour.beforeCall = { seen.note() }
            behaviour.beforeStoring = { seen.note() }
            behaviour.beforeDelivering = { _ in seen.note() }
        }
        return node
    }

    @Test("a node works in the scope of the request that it is called for, until the end of its answer, and in none otherwise")
    func scope() async throws {
        let seen = Seen()
        try await ClusterFixture.withNode(Self.observed(seen)) { transport in
            func call() async throws {
                _ = try await transport.stat(Self.id)
                try await transport.put(ClusterFixture.id(2), [1])
                #expect(try await transport.bytes(Self.id) == [1, 2, 3])
            }
            try await RequestScope.$id.withValue("the-request") { try await call() }
            try await call()
            try await RequestScope.$id.withValue("another") { _ = try await transport.pull(Self.id, from: []) }
        }
        #expect(seen.all == ["the-request", "the-request", "the-request", nil, nil, nil, "another"])
    }

    private static let hostile: [[String]] = [
        [""], [String(repeating: "x", count: 65)], ["a b"], ["a\tb"], ["ä"], ["a\u{7F}"], ["{\"message\":\"forged\"}"], ["a", "b"],
        ["a", "a"],
    ]

    @Test("what is no id of a request is not taken from a caller", arguments: hostile)
    func hostileCaller(values: [String]) async throws {
        let seen = Seen()
        let running = try await RunningServer.start(Self.observed(seen))
        try await running.whileRunning {
            try await RawClient.with(port: running.port) { client in
                var metadata = ClusterMetadata.ofCall(secret: nil)
                for value in values { metadata.addString(value, forKey: ClusterMetadata.request) }
                let node = Chunkflow_Storage_V1_StorageNode.Client(wrapping: client)
                // Some of this does not even get past HTTP.
                _ = try? await node.getInformation(.init(), metadata: metadata)
            }
        }
        #expect(seen.all.allSatisfy { $0 == nil })
    }

    @Test("what is no id of a request is not sent", arguments: ["", "a b", "a\r\nchunkflow-secret: x", String(repeating: "x", count: 65)])
    func hostileScope(id: String) async throws {
        let seen = Seen()
        try await ClusterFixture.withNode(Self.observed(seen)) { transport in
            try await RequestScope.$id.withValue(id) { _ = try await transport.stat(Self.id) }
        }
        #expect(seen.all == [nil])
    }

    @Test("at level debug the calls for a request are in the log, with how they ended; others are not")
    func calls() async throws {
        let log = LogRecord()
        let node = MemoryNode()
        node.store(Self.id, [1, 2, 3])
        let server = ClusterServer(
            node: node, listen: ClusterFixture.loopback, secret: nil, shutdownTimeout: .seconds(5), logger: log.logger)
        let running = try await RunningServer.start(server)
        try await running.whileRunning {
            try await ClusterFixture.withTransport(to: running.address) { transport in
                _ = try await transport.information()
                try await RequestScope.$id.withValue("r") {
                    _ = try await transport.bytes(Self.id)
                    _ = await nodeError { try await transport.bytes(ClusterFixture.id(9)) }
                }
            }
        }
        let calls = log.all.filter { $0.hasPrefix("debug call ") }
        #expect(calls.count == 2)
        #expect(calls.first?.contains("code=ok ") == true && calls.first?.contains("method=Get") == true, "\(calls)")
        #expect(calls.last?.contains("code=notFound ") == true, "\(calls)")
    }
}
