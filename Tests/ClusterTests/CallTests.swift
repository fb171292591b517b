import ChunkStore
import ChunkTransport
import Core
import ErasureCoding
import NIOCore
import Synchronization
import Testing

@Suite("Calls over a socket")
struct CallTests {
    private static let block = Piece.blockSize
    private static let sizes = [
        0, 1, block - 1, block, block + 1, Piece.maximumSize - 1, Piece.maximumSize, Piece.maximumSize + 1, 8 * 1024 * 1024,
        8 * 1024 * 1024 + 17,
    ]

    @Test("what is put comes back bit for bit, with its descriptor", arguments: sizes)
    func roundTrip(size: Int) async throws {
        let node = MemoryNode()
        try await ClusterFixture.withNode(node) { transport in
            let id = ClusterFixture.id(fragment: 3)
            let bytes = ClusterFixture.bytes(size)
            let descriptor = ClusterFixture.bytes(TransportLimits.maximumDescriptorSize, seed: 2)
            let info = try await transport.put(id, bytes, descriptor: descriptor, pieceSize: Piece.maximumSize)
            #expect(info == FragmentInfo(id: id, byteCount: size))
            #expect(node.fragments == [id: MemoryNode.Fragment(descriptor: descriptor, bytes: bytes)])
            #expect(try await transport.bytes(id) == bytes)
            #expect(try await transport.descriptor(of: id) == descriptor)
            #expect(try await transport.stat(id) == info)
        }
    }

    @Test(
        "a range delivers the whole blocks that it touches",
        arguments: [
            0..<0, 0..<1, 0..<block, block - 1..<block + 1, block..<2 * block, 5 * block + 3..<9 * block + 1,
            9 * block + 5..<9 * block + 6,
        ])
    func ranges(range: Range<Int>) async throws {
        let node = MemoryNode()
        let bytes = ClusterFixture.bytes(9 * Self.block + 6)
        node.store(ClusterFixture.id(), bytes)
        try await ClusterFixture.withNode(node) { transport in
            let start = range.lowerBound / Self.block * Self.block
            let end = min((range.upperBound + Self.block - 1) / Self.block * Self.block, bytes.count)
            let expected = range.isEmpty ? [] : Array(bytes[start..<end])
            let delivered = try await transport.bytes(ClusterFixture.id(), range)
            #expect(delivered == expected)
        }
    }

    @Test("a range beyond the payload is refused")
    func rangeBeyondTheEnd() async throws {
        let node = MemoryNode()
        node.store(ClusterFixture.id(), [1, 2, 3])
        try await ClusterFixture.withNode(node) { transport in
            let error = await nodeError { try await transport.bytes(ClusterFixture.id(), 0..<4) }
            #expect(error?.isInvalid == true)
        }
    }

    @Test("a fragment that is not there: nil for stat, an error for get, nothing for delete")
    func missingFragment() async throws {
        let id = ClusterFixture.id()
        try await ClusterFixture.withNode(MemoryNode()) { transport in
            #expect(try await transport.stat(id) == nil)
            #expect(await nodeError { try await transport.bytes(id) } == .notFound(id))
            #expect(await nodeError { try await transport.descriptor(of: id) } == .notFound(id))
            try await transport.delete([id])
        }
    }

    @Test("a call deletes exactly the fragments that it names, up to the limit")
    func deletion() async throws {
        let node = MemoryNode()
        for number in 0..<1_100 { node.store(ClusterFixture.id(number), [1]) }
        try await ClusterFixture.withNode(node) { transport in
            try await transport.delete((0..<TransportLimits.maximumBatch).map { ClusterFixture.id($0) })
            #expect(node.fragments.count == 100)
            let tooMany = (0...TransportLimits.maximumBatch).map { ClusterFixture.id($0) }
            let error = await nodeError { try await transport.delete(tooMany) }
            #expect(error?.isInvalid == true)
            #expect(node.fragments.count == 100)
        }
    }

    @Test("pages of a listing add up to everything, once", arguments: [1, 7, 250, 251, 1_000, 100_000])
    func listing(limit: Int) async throws {
        let node = MemoryNode()
        for number in 0..<250 { node.store(ClusterFixture.id(number), [UInt8](repeating: 1, count: number)) }
        let expected = node.fragments.map { FragmentInfo(id: $0.key, byteCount: $0.value.bytes.count) }.sorted { $0.id < $1.id }
        try await ClusterFixture.withNode(node) { transport in
            var listed: [FragmentInfo] = []
            var cursor: ListCursor?
            repeat {
                let page = try await transport.list(after: cursor, limit: limit)
                #expect(page.fragments.count <= limit)
                listed += page.fragments
                cursor = page.next
            } while cursor != nil && listed.count <= expected.count
            #expect(listed == expected)
        }
    }

    @Test("what a node says of itself arrives whole, before and after it was claimed")
    func information() async throws {
        let node = MemoryNode()
        let cluster = ClusterID(time: SystemTime().now(), random: SystemRandom())
        try await ClusterFixture.withNode(node) { transport in
            #expect(try await transport.information() == node.information())
            #expect(try await transport.information().cluster == nil)
            let claimed = try await transport.claim(for: cluster)
            #expect(claimed.cluster == cluster)
            #expect(try await transport.information() == claimed)
        }
    }

    @Test("a node and a copy of its data directory have one name and two instances")
    func instances() async throws {
        let identity = InMemoryNodeIdentityStore()
        func start() async throws -> LocalChunkTransport {
            let store = try await ChunkStore.open(
                disk: SimulatedDisk(), configuration: ChunkStore.Configuration(), executor: ThreadPoolExecutor(threadCount: 1),
                time: SystemTime(), random: SystemRandom(), logger: ClusterFixture.logger)
            return try LocalChunkTransport(
                store: store, identity: identity, zone: "", version: "1",
                peers: GRPCPeerDialer(secret: nil, time: SystemTime(), logger: ClusterFixture.logger), time: SystemTime(),
                random: SystemRandom(), logger: ClusterFixture.logger)
        }
        let (one, other) = (try await start(), try await start())
        #expect(one.id == other.id)
        #expect(one.instance != other.instance)
        for node in [one, other] {
            let told = try await ClusterFixture.withNode(node) { try await $0.information().instance }
            #expect(told == node.instance && told != 0)
        }
    }

    @Test("a reconstruction names its fragment, the code, and who has which other fragment")
    func reconstruct() async throws {
        let node = MemoryNode()
        let code = try #require(ErasureCode(dataCount: 4, parityCount: 2))
        let sources = (0..<5).map { FragmentSource(number: UInt8($0), peers: [Peer(id: node.id, address: "host:\($0 + 1)")]) }
        try await ClusterFixture.withNode(node) { transport in
            let rebuilt = try await transport.reconstruct(ClusterFixture.id(), code: code, from: sources)
            #expect(rebuilt == FragmentInfo(id: ClusterFixture.id(), byteCount: 7))
            let seen = try #require(node.reconstructions.first)
            #expect(node.reconstructions.count == 1 && seen.0 == ClusterFixture.id() && seen.1 == code && seen.2 == sources)
        }
    }

    @Test("a pull names its fragment and its sources in order")
    func pull() async throws {
        let node = MemoryNode()
        let sources = (0..<3).map { Peer(id: NodeID(uuid: UUIDv7(high: UInt64($0), low: 9)), address: "node\($0):9001") }
        try await ClusterFixture.withNode(node) { transport in
            let pulled = try await transport.pull(ClusterFixture.id(), from: sources)
            #expect(pulled == FragmentInfo(id: ClusterFixture.id(), byteCount: 7))
            #expect(node.pulls.count == 1)
            #expect(node.pulls.first?.0 == ClusterFixture.id())
            #expect(node.pulls.first?.1 == sources)
        }
    }

    @Test("many calls at once on one connection do not get in each other's way")
    func concurrency() async throws {
        let node = MemoryNode()
        try await ClusterFixture.withNode(node) { transport in
            try await withThrowingTaskGroup(of: Void.self) { group in
                for number in 0..<64 {
                    group.addTask {
                        let bytes = ClusterFixture.bytes(number * 20_011, seed: number)
                        try await transport.put(ClusterFixture.id(number), bytes, pieceSize: Piece.blockSize)
                        #expect(try await transport.bytes(ClusterFixture.id(number)) == bytes)
                    }
                }
                try await group.waitForAll()
            }
            #expect(node.fragments.count == 64)
        }
    }
}
