import ChunkTransport
import ClusterProtocol
import Core
import GRPCCore
import GRPCNIOTransportHTTP2Posix
import NIOCore
import StorageService
import SwiftProtobuf
import Testing

@Suite("The server")
struct ServerTests {
    private static let id = ClusterFixture.id()

    enum InProgress: CaseIterable { case put, get }

    @Test("a server that shuts down lets what is in progress finish and then ends", arguments: InProgress.allCases)
    func gracefulShutdown(call: InProgress) async throws {
        let node = MemoryNode()
        let bytes = ClusterFixture.bytes(24 << 20)
        node.store(Self.id, bytes)
        let running = try await RunningServer.start(node)
        try await ClusterFixture.withTransport(to: running.address) { transport in
            let door = Door()
            node.behave { behaviour in
                behaviour.beforeTaking = { if $0 == 3 { try await door.pass() } }
                behaviour.beforeDelivering = { if $0 == 1 { try await door.pass() } }
            }
            let task = Task {
                switch call {
                case .put: try await transport.put(ClusterFixture.id(2), bytes).byteCount
                case .get: try await transport.bytes(Self.id).count
                }
            }
            try await eventually("it is under way") { door.waiting == 1 }
            running.server.beginShutdown()
            for _ in 0..<20 { #expect(await nodeError { try await transport.information() } == .shuttingDown) }
            door.open()
            #expect(try await task.value == bytes.count)
            try await running.ended()
            #expect(node.fragments.count == (call == .put ? 2 : 1))
        }
    }

    @Test("a server whose calls do not end is stopped when their time is up")
    func hopelessShutdown() async throws {
        let node = MemoryNode()
        let door = Door()
        node.behave { $0.beforeCall = { try await door.pass() } }
        let server = ClusterServer(
            node: node, listen: ClusterFixture.loopback, secret: nil, shutdownTimeout: .milliseconds(200), logger: ClusterFixture.logger)
        let running = Task { try await server.run() }
        let address = try await server.boundAddress().description
        try await ClusterFixture.withTransport(to: address) { transport in
            async let call = nodeError { try await transport.information() }
            try await eventually("the call is under way") { door.waiting == 1 }
            let start = ContinuousClock.now
            server.beginShutdown()
            try await running.value
            #expect(ContinuousClock.now - start < .seconds(3))
            #expect(await call?.isUnreachable == true)
        }
    }

    @Test("an address that is taken stops the start with an error")
    func takenPort() async throws {
        let running = try await RunningServer.start(MemoryNode())
        try await running.whileRunning {
            let second = ClusterFixture.server(MemoryNode(), listen: HostPort(host: "127.0.0.1", port: running.port))
            let task = Task { try await second.run() }
            await #expect(throws: (any Error).self) { try await second.boundAddress() }
            await #expect(throws: (any Error).self) { try await task.value }
        }
    }

    @Test("it listens on IPv6 and on localhost too", arguments: ["::1", "localhost"])
    func otherHosts(host: String) async throws {
        let server = ClusterFixture.server(MemoryNode(), listen: HostPort(host: host, port: 0))
        let task = Task { try await server.run() }
        let bound = try await server.boundAddress()
        #expect(bound.port != 0)
        try await ClusterFixture.withTransport(to: bound.description) { transport in _ = try await transport.information() }
        task.cancel()
        _ = await task.result
    }

    @Test("health is told to everybody, with or without the secret, of the server and of each of its services")
    func health() async throws {
        let running = try await RunningServer.start(MemoryNode(), secret: "secret")
        try await running.whileRunning {
            try await RawClient.with(port: running.port) { client in
                let health = Grpc_Health_V1_Health.Client(wrapping: client)
                for service in ["", "chunkflow.storage.v1.StorageNode", "chunkflow.storage.v1.FragmentTransfer"] {
                    let answer = try await health.check(.with { $0.service = service })
                    #expect(answer.status == .serving)
                }
                let error = await #expect(throws: RPCError.self) { try await health.check(.with { $0.service = "nobody" }) }
                #expect(error?.code == .notFound)
            }
        }
    }

    @Test("whoever watches the health hears of the shutdown and does not hold it up")
    func healthWatch() async throws {
        let running = try await RunningServer.start(MemoryNode())
        try await RawClient.with(port: running.port) { client in
            let health = Grpc_Health_V1_Health.Client(wrapping: client)
            let seen = try await health.watch(.init()) { response in
                var seen: [Grpc_Health_V1_HealthCheckResponse.ServingStatus] = []
                for try await message in response.messages {
                    seen.append(message.status)
                    if seen.count == 1 { running.server.beginShutdown() }
                }
                return seen
            }
            #expect(seen == [.serving, .notServing])
            try await running.ended()
        }
    }

    @Test("who watches a service that is not there is told so")
    func unknownHealthWatch() async throws {
        struct Enough: Error {}
        let running = try await RunningServer.start(MemoryNode())
        try await running.whileRunning {
            try await RawClient.with(port: running.port) { client in
                let health = Grpc_Health_V1_Health.Client(wrapping: client)
                await #expect(throws: Enough.self) {
                    try await health.watch(.with { $0.service = "nobody" }) { response in
                        for try await message in response.messages {
                            #expect(message.status == .serviceUnknown)
                            throw Enough()
                        }
                    }
                }
            }
        }
    }

    @Test("the dialer keeps one connection for each address, and none is made after it was shut down")
    func dialer() async throws {
        let node = MemoryNode()
        let running = try await RunningServer.start(node, secret: "secret")
        try await running.whileRunning {
            let dialer = GRPCPeerDialer(secret: "secret", time: SystemTime(), logger: ClusterFixture.logger)
            let task = Task { await dialer.run() }
            let peer = Peer(id: node.id, address: running.address)
            #expect(try await dialer.transport(to: peer).information().id == node.id)
            let first = try dialer.transport(toAddress: running.address)
            #expect(try dialer.transport(toAddress: running.address) === first)
            dialer.shutDown()
            await task.value
            #expect(throws: NodeError.shuttingDown) { try dialer.transport(toAddress: "127.0.0.1:1") }
        }
    }
}
