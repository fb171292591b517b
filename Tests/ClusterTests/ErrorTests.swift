import ChunkTransport
import Core
import ErasureCoding
import NIOCore
import StorageService
import Testing

@Suite("Errors between servers")
struct ErrorTests {
    private static let id = ClusterFixture.id(7, fragment: 5)
    private static let node = NodeID(uuid: UUIDv7(high: 1, low: 2))
    private static let cluster = ClusterID(uuid: UUIDv7(high: 3, low: 4))

    /// One of each; the switch keeps it so.
    private static let everyError: [NodeError] = {
        let errors: [NodeError] = [
            .notFound(id), .corrupt(id, detail: "block 3"), .insufficientSpace(detail: "0 bytes left"), .storageFailure(detail: "EIO"),
            .damagedInTransit(id), .unreachable(address: "peer:9001", detail: "größer: ä\n%"), .unauthenticated(address: "peer:9001"),
            .wrongCluster(node: node, belongsTo: cluster), .noSource(id, detail: "all away"), .shuttingDown, .invalid(detail: ""),
            .incompatible(detail: "größer: ä"),
        ]
        for error in errors {
            switch error {
            case .notFound, .corrupt, .insufficientSpace, .storageFailure, .damagedInTransit, .unreachable, .unauthenticated, .wrongCluster,
                .noSource, .shuttingDown, .invalid, .incompatible:
                break
            }
        }
        return errors
    }()

    @Test("every error arrives as it was thrown, from every method", arguments: everyError)
    func roundTrip(error: NodeError) async throws {
        let node = MemoryNode()
        node.behave { $0.failure = error }
        let code = try #require(ErasureCode(dataCount: 4, parityCount: 2))
        try await ClusterFixture.withNode(node) { transport in
            let id = Self.id
            #expect(await nodeError { try await transport.put(id, [1, 2, 3]) } == error)
            #expect(await nodeError { try await transport.bytes(id) } == error)
            #expect(await nodeError { try await transport.descriptor(of: id) } == error)
            #expect(await nodeError { try await transport.delete([id]) } == error)
            #expect(await nodeError { try await transport.stat(id) } == error)
            #expect(await nodeError { try await transport.list(after: nil, limit: 1) } == error)
            #expect(await nodeError { try await transport.quarantined(limit: 1) } == error)
            #expect(await nodeError { try await transport.information() } == error)
            #expect(await nodeError { try await transport.claim(for: Self.cluster) } == error)
            #expect(await nodeError { try await transport.pull(id, from: []) } == error)
            #expect(await nodeError { try await transport.reconstruct(id, code: code, from: []) } == error)
        }
    }

    @Test("a put that the node refuses stops its producer at once and leaves the connection usable", arguments: [0, 1, 5])
    func earlyRefusal(piecesTaken: Int) async throws {
        let node = MemoryNode()
        try await ClusterFixture.withNode(node) { transport in
            node.behave { behaviour in
                behaviour.beforeTaking = { if $0 == piecesTaken { throw NodeError.insufficientSpace(detail: "full") } }
            }
            let piece = Piece(checksumming: ByteBuffer(repeating: 7, count: Piece.maximumSize))
            // More than the connection's window in all: what a refused put leaves unread must not be kept for ever.
            for _ in 0..<8 {
                let pieces = BoundedQueue<Piece>(capacity: 2)
                async let outcome = nodeError { try await transport.put(Self.id, descriptor: [], pieces: pieces) }
                await #expect(throws: BoundedQueue<Piece>.Cancelled.self) {
                    while true { try await pieces.send(piece) }
                }
                #expect(await outcome == .insufficientSpace(detail: "full"))
            }
            node.behave { $0 = MemoryNode.Behaviour() }
            let bytes = ClusterFixture.bytes(8 * 1024 * 1024)
            try await transport.put(Self.id, bytes)
            #expect(node.fragments[Self.id]?.bytes == bytes)
        }
    }

    @Test("hundreds of refused and abandoned transfers do not cost the connection")
    func manyResets() async throws {
        let node = MemoryNode()
        node.store(Self.id, ClusterFixture.bytes(2 * 1024 * 1024))
        struct Enough: Error {}
        let patient = TransportTimeouts(call: .seconds(60))
        try await ClusterFixture.withNode(node, timeouts: patient) { transport in
            // A call in progress throughout tells whether the connection was given up.
            let door = Door()
            node.behave { $0.beforeCall = { try await door.pass() } }
            let witness = Task { try await transport.information() }
            try await eventually("the witness's call is in progress") { door.waiting == 1 }
            for _ in 0..<500 {
                await #expect(throws: Enough.self) { try await transport.get(Self.id, range: nil) { _ in throw Enough() } }
            }
            node.behave { $0.failure = .insufficientSpace(detail: "full") }
            for _ in 0..<500 {
                let error = await nodeError { try await transport.put(ClusterFixture.id(2), [UInt8](repeating: 1, count: 1 << 20)) }
                #expect(error == .insufficientSpace(detail: "full"))
            }
            door.open()
            #expect(try await witness.value.id == node.id)
        }
    }

    @Test("pieces that end with an error store nothing, and the error is the caller's own")
    func failingProducer() async throws {
        struct ClientHungUp: Error {}
        let node = MemoryNode()
        try await ClusterFixture.withNode(node) { transport in
            let pieces = try ClusterFixture.queue(ClusterFixture.pieces(ClusterFixture.bytes(600_000)), throwing: ClientHungUp())
            await #expect(throws: ClientHungUp.self) { try await transport.put(Self.id, descriptor: [], pieces: pieces) }
            try await eventually("the node has given the put up") { node.failedPuts == 1 }
            #expect(node.fragments.isEmpty)
        }
    }

    @Test("what the receiver of a get throws comes back to it, and the node stops reading")
    func failingReceiver() async throws {
        struct ClientHungUp: Error {}
        let node = MemoryNode()
        node.store(Self.id, ClusterFixture.bytes(64 * 1024 * 1024))
        try await ClusterFixture.withNode(node) { transport in
            await #expect(throws: ClientHungUp.self) {
                try await transport.get(Self.id, range: nil) { _ in throw ClientHungUp() }
            }
            try await eventually("the node has given the get up") { node.endedGets == 1 }
            #expect(node.piecesRead < 256)
        }
    }

    @Test("a piece damaged on its way to the node is refused")
    func damagedPut() async throws {
        let node = MemoryNode()
        try await ClusterFixture.withNode(node) { transport in
            var pieces = ClusterFixture.pieces(ClusterFixture.bytes(600_000))
            pieces[1] = Self.damaged(pieces[1])
            let queue = try ClusterFixture.queue(pieces)
            let error = await nodeError { try await transport.put(Self.id, descriptor: [], pieces: queue) }
            #expect(error == .damagedInTransit(Self.id))
            #expect(node.fragments.isEmpty)
        }
    }

    @Test("a piece damaged on its way from the node is never delivered")
    func damagedGet() async throws {
        let node = MemoryNode()
        node.store(Self.id, ClusterFixture.bytes(600_000))
        node.behave { $0.serving = Self.damaged }
        try await ClusterFixture.withNode(node) { transport in
            let error = await nodeError {
                try await transport.get(Self.id, range: nil) { _ in Issue.record("a damaged piece was delivered") }
            }
            #expect(error == .damagedInTransit(Self.id))
        }
    }

    @Test("a node that serves less than the fragment, or another one, is not believed")
    func wrongSummary() async throws {
        let node = MemoryNode()
        node.store(Self.id, ClusterFixture.bytes(600_000))
        try await ClusterFixture.withNode(node) { transport in
            node.behave { $0.summary = { FragmentInfo(id: $0.id, byteCount: $0.byteCount + 1) } }
            #expect(await nodeError { try await transport.bytes(Self.id) } == .damagedInTransit(Self.id))
            node.behave { $0.summary = { FragmentInfo(id: ClusterFixture.id(8), byteCount: $0.byteCount) } }
            #expect(await nodeError { try await transport.bytes(Self.id) } == .damagedInTransit(Self.id))
        }
    }

    @Test("a piece beyond the limit is refused where it enters")
    func oversizedPiece() async throws {
        let node = MemoryNode()
        try await ClusterFixture.withNode(node) { transport in
            let queue = try ClusterFixture.queue(ClusterFixture.pieces(ClusterFixture.bytes(2 << 20), size: 2 << 20))
            let error = await nodeError { try await transport.put(Self.id, descriptor: [], pieces: queue) }
            #expect(error?.isInvalid == true)
            #expect(node.fragments.isEmpty)
        }
    }

    @Test("a put beyond the limit of one call is refused as soon as it goes beyond, one within it is not")
    func oversizedPut() async throws {
        let node = MemoryNode()
        let server = ClusterServer(
            node: node, listen: ClusterFixture.loopback, secret: nil, shutdownTimeout: .seconds(5), maximumFragmentSize: 1 << 20,
            logger: ClusterFixture.logger)
        let running = try await RunningServer.start(server)
        try await running.whileRunning {
            try await ClusterFixture.withTransport(to: running.address) { transport in
                try await transport.put(Self.id, ClusterFixture.bytes(1 << 20))
                let error = await nodeError { try await transport.put(ClusterFixture.id(8), ClusterFixture.bytes((1 << 20) + 1)) }
                #expect(error?.isInvalid == true)
                let before = node.piecesTaken
                let endless = await nodeError { try await transport.put(ClusterFixture.id(8), ClusterFixture.bytes(64 << 20)) }
                #expect(endless?.isInvalid == true)
                #expect(node.piecesTaken - before <= 4)
                #expect(node.fragments.keys.sorted() == [Self.id])
            }
        }
    }

    @Test("a descriptor beyond the limit is refused")
    func oversizedDescriptor() async throws {
        let node = MemoryNode()
        try await ClusterFixture.withNode(node) { transport in
            let descriptor = [UInt8](repeating: 1, count: TransportLimits.maximumDescriptorSize + 1)
            let error = await nodeError { try await transport.put(Self.id, [1], descriptor: descriptor) }
            #expect(error?.isInvalid == true)
            #expect(node.fragments.isEmpty)
        }
    }

    private static func damaged(_ piece: Piece) -> Piece {
        var bytes = piece.bytes
        bytes.setInteger(bytes.getInteger(at: bytes.readerIndex + 5, as: UInt8.self)! ^ 0x10, at: bytes.readerIndex + 5)
        return Piece(bytes: bytes, checksums: piece.checksums)
    }
}
