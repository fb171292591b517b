import ChunkTransport
import Core
import Foundation
import NIOCore
import StorageService
import Synchronization
import Testing

/// A node sends what it has not looked at to who will.
@Suite("Fragments that a node sends from its files")
struct UnverifiedGetTests {
    private static let id = ClusterFixture.id()
    private static let bytes = ClusterFixture.bytes(5 * Piece.maximumSize + 999)

    /// Each piece in a file of its own, as `change` makes it; the checksums stay.
    private static func inFiles(_ change: @escaping @Sendable (_ number: Int, inout [UInt8]) -> Void)
        -> @Sendable (Piece) throws -> StoredPiece
    {
        let count = Atomic(0)
        return { piece in
            var content = Array(piece.bytes.readableBytesView)
            change(count.add(1, ordering: .relaxed).oldValue, &content)
            let url = FileManager.default.temporaryDirectory.appendingPathComponent("piece-\(UUID().uuidString)")
            try Data([1, 2, 3] + content).write(to: url)
            defer { try? FileManager.default.removeItem(at: url) }
            let file = try FileHandle(forReadingFrom: url)
            defer { try? file.close() }
            return .unread(
                try #require(FileSlice(of: file.fileDescriptor, offset: 3, byteCount: content.count)), checksums: piece.checksums)
        }
    }

    private static func withNode(
        direct: Bool, _ unread: @escaping @Sendable (Piece) throws -> StoredPiece,
        _ body: @escaping @Sendable (GRPCChunkTransport, MemoryNode) async throws -> Void
    ) async throws {
        let node = MemoryNode(pieceSize: Piece.maximumSize)
        node.store(id, bytes)
        node.behave { $0.unread = unread }
        let running = try await RunningServer.start(ClusterFixture.fragmentServer(node, takesDirectConnections: direct))
        try await running.whileRunning {
            try await ClusterFixture.withTransport(to: running.address) { try await body($0, node) }
        }
    }

    @Test("arrive as they are, over direct connections and over HTTP/2", arguments: [true, false])
    func intact(direct: Bool) async throws {
        try await Self.withNode(direct: direct, Self.inFiles { _, _ in }) { transport, node in
            for _ in 0..<3 {
                let all = try await transport.bytes(Self.id)
                #expect(all == Self.bytes)
            }
            let part = try await transport.bytes(Self.id, 70_000..<2_000_000)
            #expect(part == Array(Self.bytes[65_536..<2_031_616]))
            #expect(node.unverifiedGets == (direct ? 4 : 0) && node.endedGets == 4)
        }
    }

    @Test("what is damaged in them is not delivered: it is asked for again, verified, from there on", arguments: [0, 2, 5])
    func damaged(piece: Int) async throws {
        let unread = Self.inFiles { number, content in if number == piece { content[content.count / 2] ^= 1 } }
        try await Self.withNode(direct: true, unread) { transport, node in
            let got = try await transport.bytes(Self.id)
            #expect(got == Self.bytes)
            #expect(node.unverifiedGets == 1 && node.endedGets == 2)
        }
    }

    @Test("where the node then finds them corrupt, that is the answer, after what came before")
    func corrupt() async throws {
        let unread = Self.inFiles { number, content in if number == 2 { content[0] ^= 1 } }
        try await Self.withNode(direct: true, unread) { transport, node in
            node.behave { behaviour in
                behaviour.beforeDelivering = { number in
                    if number == 2, node.endedGets == 1 { throw NodeError.corrupt(Self.id, detail: "a block") }
                }
            }
            let delivered = Mutex<[UInt8]>([])
            let error = await nodeError {
                try await transport.get(Self.id, range: nil) { piece in
                    delivered.withLock { $0 += piece.bytes.readableBytesView }
                }
            }
            #expect(error == .corrupt(Self.id, detail: "a block"))
            #expect(delivered.withLock { $0 } == Array(Self.bytes[..<(2 << 20)]))
        }
    }

    @Test("what its receiver throws is not taken for damage")
    func refused() async throws {
        try await Self.withNode(direct: true, Self.inFiles { _, _ in }) { transport, node in
            let delivered = Atomic(0)
            let error = await nodeError {
                try await transport.get(Self.id, range: nil) { _ in
                    delivered.add(1, ordering: .relaxed)
                    throw NodeError.damagedInTransit(Self.id)
                }
            }
            #expect(error == .damagedInTransit(Self.id))
            #expect(delivered.load(ordering: .relaxed) == 1)
            try await eventually("the node has given up") { node.endedGets == 1 }
        }
    }

    @Test("a file that cannot be read breaks the call off, and is known not to be sent from again")
    func unreadable() async throws {
        let failure = SliceFailure()
        let unread: @Sendable (Piece) throws -> StoredPiece = { piece in
            // Of a directory nothing can be sent.
            let directory = open("/", O_RDONLY | O_DIRECTORY)
            defer { close(directory) }
            let slice = try #require(FileSlice(of: directory, offset: 0, byteCount: piece.bytes.readableBytes, failure: failure))
            return .unread(slice, checksums: piece.checksums)
        }
        try await Self.withNode(direct: true, unread) { transport, _ in
            let error = await nodeError { try await transport.get(Self.id, range: nil) { _ in Issue.record("something came") } }
            #expect(error?.isUnreachable == true)
            #expect(failure.isSet)
        }
    }

    @Test("a node that serves less than blocks in the middle is not believed")
    func shortPiece() async throws {
        let node = MemoryNode(pieceSize: 100)
        node.store(Self.id, Self.bytes)
        try await ClusterFixture.withNode(node) { transport in
            let delivered = Atomic(0)
            let error = await nodeError {
                try await transport.get(Self.id, range: nil) { piece in delivered.add(piece.bytes.readableBytes, ordering: .relaxed) }
            }
            #expect(error?.isUnreachable == true)
            #expect(delivered.load(ordering: .relaxed) == 100)
        }
    }
}
