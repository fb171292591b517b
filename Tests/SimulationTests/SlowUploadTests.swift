import Core
import ErasureCoding
import Metadata
import NIOCore
import ObjectStore
import Testing

/// Uploads that take longer than anything unknown is left alone.
@Suite("A slow upload in a simulated cluster")
struct SlowUploadTests {
    /// A client that sends a chunk and then thinks for a while.
    private struct SlowBody: AsyncSequence, Sendable {
        let file: SimulatedFile
        let pieceSize: Int
        let pause: Duration
        let scheduler: DeterministicScheduler

        struct AsyncIterator: AsyncIteratorProtocol {
            let body: SlowBody
            var position = 0

            mutating func next() async throws -> ByteBuffer? { try await next(isolation: nil) }

            mutating func next(isolation actor: isolated (any Actor)?) async throws -> ByteBuffer? {
                guard position < body.file.byteCount else { return nil }
                if position > 0 { try await body.scheduler.sleep(for: body.pause) }
                let end = Swift.min(body.file.byteCount, position + body.pieceSize)
                defer { position = end }
                return ByteBuffer(bytes: body.file.bytes(position..<end))
            }
        }

        func makeAsyncIterator() -> AsyncIterator { AsyncIterator(body: self) }
    }

    @Test("keeps its chunks through every sweep, however long it takes", arguments: [1, 2, 3] as [UInt64])
    func outlivesTheGrace(seed: UInt64) async throws {
        let scheduler = DeterministicScheduler(seed: seed)
        try await scheduler.runApart(limit: .seconds(24 * 3600)) {
            var configuration = StoreConfiguration()
            configuration.chunkSize = 64 * 1024
            configuration.pieceSize = 64 * 1024
            configuration.storageClass = .replicated
            configuration.orphanGrace = .seconds(60)
            configuration.sweepInterval = .seconds(30)
            let cluster = try await SimulatedCluster(nodeCount: 4, configuration: configuration, scheduler: scheduler)
            guard let store = cluster.store else { throw Violation("no distributor") }
            try await scheduler.sleep(for: .seconds(5))
            // Left behind by an upload that a crash ended: what the sweeps are there for.
            let orphan = FragmentID(chunk: ChunkID(blob: BlobID(time: scheduler.now(), random: scheduler.random), index: 0))
            try await cluster.nodes[0].store(orphan)
            let file = SimulatedFile(seed: seed, byteCount: 20 * 64 * 1024)
            let body = SlowBody(file: file, pieceSize: 64 * 1024, pause: .seconds(20), scheduler: scheduler)
            let record = try await store.upload(UploadDescription(fileName: "\(seed)"), body: body)
            guard try await cluster.inventory()[cluster.nodes[0].id]?.contains(orphan) == false else {
                throw Violation("seed \(seed): no sweep has looked in between")
            }
            try await cluster.check(record)
            let held = try await cluster.inventory()
            for blob in record.blobs {
                for index in 0..<UInt32(blob.chunkCount) {
                    for home in store.expectedNodes(of: ChunkID(blob: blob.id, index: index), in: blob)
                    where held[home.node]?.contains(home.fragment) != true {
                        throw Violation("seed \(seed): \(home.fragment) was taken from \(home.node) while it was being uploaded")
                    }
                }
            }
            await cluster.stopDistributor()
        }
    }
}
