import ChunkTransport
import Core
import ErasureCoding
import Testing

@Suite("The cluster secret")
struct SecretTests {
    private static let id = ClusterFixture.id()

    @Test("every method wants the secret", arguments: [nil, "", "wrong", "secre", "secrets", "Secret", "sécret"])
    func wrongSecret(given: String?) async throws {
        let node = MemoryNode()
        node.store(Self.id, [1, 2, 3])
        let code = try #require(ErasureCode(dataCount: 4, parityCount: 2))
        let running = try await RunningServer.start(node, secret: "secret")
        try await running.whileRunning {
            try await ClusterFixture.withTransport(to: running.address, secret: given) { transport in
                let refused = NodeError.unauthenticated(address: transport.address)
                let other = ClusterFixture.id(2)
                #expect(await nodeError { try await transport.put(other, [1]) } == refused)
                #expect(await nodeError { try await transport.bytes(Self.id) } == refused)
                #expect(await nodeError { try await transport.descriptor(of: Self.id) } == refused)
                #expect(await nodeError { try await transport.delete([Self.id]) } == refused)
                #expect(await nodeError { try await transport.stat(Self.id) } == refused)
                #expect(await nodeError { try await transport.list(after: nil, limit: 1) } == refused)
                #expect(await nodeError { try await transport.quarantined(limit: 1) } == refused)
                #expect(await nodeError { try await transport.information() } == refused)
                #expect(await nodeError { try await transport.claim(for: ClusterID(uuid: UUIDv7(high: 1, low: 2))) } == refused)
                #expect(await nodeError { try await transport.pull(Self.id, from: []) } == refused)
                #expect(await nodeError { try await transport.reconstruct(Self.id, code: code, from: []) } == refused)
                #expect(node.fragments.keys.sorted() == [Self.id])
                #expect(node.pulls.isEmpty)
                #expect(node.reconstructions.isEmpty)
            }
        }
    }

    @Test("a large put with the wrong secret is refused without being read")
    func largePut() async throws {
        let node = MemoryNode()
        let running = try await RunningServer.start(node, secret: "secret")
        try await running.whileRunning {
            try await ClusterFixture.withTransport(to: running.address, secret: "wrong") { transport in
                let error = await nodeError { try await transport.put(Self.id, ClusterFixture.bytes(64 << 20)) }
                #expect(error?.isUnauthenticated == true)
                #expect(node.piecesTaken == 0)
            }
        }
    }

    @Test(
        "the right secret opens, of whatever characters it is",
        arguments: ["secret", "ein längerer Satz, mit Leerzeichen", String(repeating: "x", count: 4_000)])
    func rightSecret(secret: String) async throws {
        let node = MemoryNode()
        try await ClusterFixture.withNode(node, secret: secret) { transport in
            try await transport.put(Self.id, [1, 2, 3])
            #expect(try await transport.bytes(Self.id) == [1, 2, 3])
            #expect(try await transport.information().id == node.id)
        }
    }

    @Test("a node that wants no secret serves callers that send one")
    func needlessSecret() async throws {
        let running = try await RunningServer.start(MemoryNode())
        try await running.whileRunning {
            try await ClusterFixture.withTransport(to: running.address, secret: "secret") { transport in
                _ = try await transport.information()
            }
        }
    }
}
