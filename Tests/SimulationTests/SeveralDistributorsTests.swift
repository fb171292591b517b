import ChunkTransport
import Core
import Metadata
import NIOCore
import ObjectStore
import Synchronization
import Testing

/// Two distributors on one database.
@Suite("Two distributors in a simulated cluster")
struct SeveralDistributorsTests {
    @Test("the one that starts does not take what the other is writing for leftovers")
    func uploadInFlight() throws {
        let scheduler = DeterministicScheduler(seed: 1)
        try scheduler.run(limit: .seconds(24 * 3600)) {
            var configuration = StoreConfiguration()
            configuration.chunkSize = 128 * 1024
            configuration.pieceSize = 64 * 1024
            let cluster = try await SimulatedCluster(nodeCount: 3, configuration: configuration, scheduler: scheduler)
            guard let first = cluster.store else { throw Violation("no distributor") }
            let file = SimulatedFile(seed: 1, byteCount: 1_000_000)
            let pause = Duration.seconds(120)
            let upload = Task {
                try await first.upload(
                    UploadDescription(fileName: "1"), body: PausingBody(file: file, pause: pause, scheduler: scheduler))
            }
            try await scheduler.sleep(for: .seconds(30))
            let written = try await cluster.inventory().values.reduce(0) { $0 + $1.count }
            guard written > 0 else { throw Violation("nothing is written yet") }
            // The first gives up the lease, as if another one had taken it; what it serves goes on.
            await cluster.stopDistributor()
            try await cluster.startDistributor()
            guard let second = cluster.store else { throw Violation("no distributor") }
            let record = try await upload.value
            let received = Mutex<[UInt8]>([])
            try await second.read(record, range: 0..<record.byteCount) { bytes in
                received.withLock { $0 += bytes.readableBytesView }
            }
            guard received.withLock({ $0 }) == file.bytes(0..<file.byteCount) else { throw Violation("wrong bytes") }
            await cluster.stopDistributor()
        }
    }
}

/// A body that stands still in the middle.
private struct PausingBody: AsyncSequence, Sendable {
    let file: SimulatedFile
    let pause: Duration
    let scheduler: DeterministicScheduler

    struct AsyncIterator: AsyncIteratorProtocol {
        let body: PausingBody
        var half = 0

        mutating func next() async throws -> ByteBuffer? { try await next(isolation: nil) }

        mutating func next(isolation actor: isolated (any Actor)?) async throws -> ByteBuffer? {
            defer { half += 1 }
            let middle = body.file.byteCount / 2
            switch half {
            case 0: return ByteBuffer(bytes: body.file.bytes(0..<middle))
            case 1:
                try await body.scheduler.sleep(for: body.pause)
                return ByteBuffer(bytes: body.file.bytes(middle..<body.file.byteCount))
            default: return nil
            }
        }
    }

    func makeAsyncIterator() -> AsyncIterator { AsyncIterator(body: self) }
}
