import ChunkTransport
import Core
import NIOCore
import StorageService
import Testing

@Suite("Direct connections to a node")
struct DirectConnectionTests {
    /// Through a wiretap, which counts connections.
    private static func withNode(
        _ node: MemoryNode, takesDirectConnections: Bool = true,
        _ body: @escaping @Sendable (GRPCChunkTransport, Wiretap) async throws -> Void
    ) async throws {
        let running = try await RunningServer.start(
            ClusterFixture.fragmentServer(node, takesDirectConnections: takesDirectConnections))
        try await running.whileRunning {
            let wiretap = try await Wiretap.start(to: running.port)
            try await ClusterFixture.withTransport(to: wiretap.address) { try await body($0, wiretap) }
            try await wiretap.close()
        }
    }

    @Test("one serves call after call, puts and gets that succeed or are refused in order")
    func reuse() async throws {
        let node = MemoryNode()
        try await Self.withNode(node) { transport, wiretap in
            let bytes = ClusterFixture.bytes(3 << 20)
            for number in 0..<20 {
                try await transport.put(ClusterFixture.id(number), bytes)
                #expect(try await transport.bytes(ClusterFixture.id(number)) == bytes)
                #expect(await nodeError { try await transport.bytes(ClusterFixture.id(100)) } == .notFound(ClusterFixture.id(100)))
            }
            // One more is gRPC's, for short calls.
            _ = try await transport.information()
            #expect(wiretap.connections == 2)
        }
    }

    @Test("those that many calls at once needed are not all kept")
    func idle() async throws {
        let node = MemoryNode()
        let door = Door()
        node.store(ClusterFixture.id(), [1, 2, 3])
        node.behave { $0.beforeDelivering = { _ in try await door.pass() } }
        try await Self.withNode(node) { transport, wiretap in
            try await withThrowingTaskGroup(of: Void.self) { group in
                for _ in 0..<200 {
                    group.addTask {
                        let bytes = try await transport.bytes(ClusterFixture.id())
                        #expect(bytes == [1, 2, 3])
                    }
                }
                try await eventually("all are under way") { door.waiting == 200 }
                #expect(wiretap.connections >= 200)
                door.open()
                try await group.waitForAll()
            }
            try await eventually("most are closed") { wiretap.connections <= 129 }
            #expect(try await transport.bytes(ClusterFixture.id()) == [1, 2, 3])
        }
    }

    @Test("a call that is given up closes its own, and the next makes another")
    func givenUp() async throws {
        struct Enough: Error {}
        let node = MemoryNode()
        node.store(ClusterFixture.id(), ClusterFixture.bytes(64 << 20))
        try await Self.withNode(node) { transport, wiretap in
            _ = try await transport.information()
            for _ in 0..<3 {
                await #expect(throws: Enough.self) { try await transport.get(ClusterFixture.id(), range: nil) { _ in throw Enough() } }
            }
            try await eventually("the node has given all up") { node.endedGets == 3 }
            try await eventually("they are closed") { wiretap.connections == 1 }
            #expect(try await transport.bytes(ClusterFixture.id(), 0..<1).count == Piece.blockSize)
        }
    }

    @Test("those that a network has cut are replaced")
    func cut() async throws {
        let node = MemoryNode()
        try await Self.withNode(node) { transport, wiretap in
            try await transport.put(ClusterFixture.id(), [1, 2, 3])
            for _ in 0..<5 {
                wiretap.cut()
                try await eventually("a connection is made") { (try? await transport.bytes(ClusterFixture.id())) == [1, 2, 3] }
            }
        }
    }

    @Test("a node of an earlier version takes puts and gets over HTTP/2, and is not asked before every call")
    func earlierVersion() async throws {
        let node = MemoryNode()
        try await Self.withNode(node, takesDirectConnections: false) { transport, wiretap in
            let bytes = ClusterFixture.bytes(3 << 20)
            for number in 0..<5 {
                try await transport.put(ClusterFixture.id(number), bytes)
                #expect(try await transport.bytes(ClusterFixture.id(number)) == bytes)
            }
            #expect(wiretap.connections == 1)
            #expect(wiretap.connectionsMade <= 3)
        }
    }

    @Test("a put that is refused in the middle is told why, though its caller still sends")
    func refusedPut() async throws {
        let node = MemoryNode()
        node.behave { $0.beforeTaking = { if $0 == 2 { throw NodeError.insufficientSpace(detail: "full") } } }
        try await Self.withNode(node) { transport, _ in
            for number in 0..<20 {
                let error = await nodeError { try await transport.put(ClusterFixture.id(number), ClusterFixture.bytes(32 << 20)) }
                #expect(error == .insufficientSpace(detail: "full"))
            }
        }
    }
}
