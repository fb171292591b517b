import ChunkTransport
import Core
import Foundation
import Logging
import NIOCore
import ServerAssembly
import ServiceLifecycle
import Testing

/// What runs beside a node as long as it serves.
@Suite("The maintenance of a running node")
struct NodeMaintenanceTests {
    private struct NoPeers: PeerDialer {
        func transport(to peer: Peer) async throws -> any ChunkTransport { throw NodeError.unreachable(address: "", detail: "no peers") }
    }

    private static func pieces(byteCount: Int) throws -> BoundedQueue<Piece> {
        let queue = BoundedQueue<Piece>(capacity: 1)
        _ = try queue.offer(Piece(checksumming: ByteBuffer(repeating: 7, count: byteCount)))
        queue.finish()
        return queue
    }

    private static func fragment(_ number: UInt64) -> FragmentID {
        FragmentID(chunk: ChunkID(blob: BlobID(uuid: UUIDv7(high: 5, low: number)), index: 0))
    }

    @Test("compacts: the file of a segment in which nothing lives goes by itself")
    func compaction() async throws {
        let directory = FileManager.default.temporaryDirectory.appending(path: "chunkflow-maintenance-\(UUID().uuidString)").path
        defer { try? FileManager.default.removeItem(atPath: directory) }
        func segments() throws -> Set<String> {
            Set(try FileManager.default.contentsOfDirectory(atPath: directory).filter { $0.hasSuffix(".segment") })
        }

        let node = try await StorageNode.open(
            directory: directory, zone: "", scrubPeriod: nil, maintenanceInterval: .milliseconds(20), durability: .none, peers: NoPeers(),
            logger: Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() }))
        // The small one's segment stays in use, the large one has another for itself.
        _ = try await node.transport.put(Self.fragment(1), descriptor: [], pieces: try Self.pieces(byteCount: 1_000))
        _ = try await node.transport.put(Self.fragment(2), descriptor: [], pieces: try Self.pieces(byteCount: 1 << 20))
        #expect(try segments() == ["00000001.segment", "00000002.segment"])
        try await withThrowingTaskGroup { group in
            for service in node.services { group.addTask { try await service.run() } }
            try await node.transport.delete([Self.fragment(2)])
            try await eventually(within: .seconds(30), "the dead segment is gone") { try !segments().contains("00000002.segment") }
            group.cancelAll()
        }
        #expect(node.transport.stat(Self.fragment(1)) != nil)
        await node.close()
    }
}
