import ChunkStore
import Core
import Logging
import NIOCore
import Synchronization

/// What the tests of the store share.
enum StoreFixture {
    /// Small limits, so that little data reaches every path.
    static func configuration(
        segmentSize: Int = 4 << 20, smallFragmentLimit: Int = 64 << 10, checkpointInterval: Int = 1 << 30, durability: Durability = .fsync
    ) -> ChunkStore.Configuration {
        ChunkStore.Configuration(
            segmentSize: segmentSize, durability: durability, reserveBytes: 1 << 20, smallFragmentLimit: smallFragmentLimit,
            maximumLanes: 4, checkpointInterval: checkpointInterval)
    }

    static func open(
        _ disk: any Disk, configuration: ChunkStore.Configuration = configuration(), executor: any BlockingExecutor = InlineExecutor(),
        time: any TimeSource = SystemTime(), random: any RandomSource = SeededRandom(seed: 1)
    ) async throws -> ChunkStore {
        try await ChunkStore.open(
            disk: disk, configuration: configuration, executor: executor, time: time, random: random,
            logger: Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() }))
    }

    static func id(_ number: Int, fragment: UInt8 = 0) -> FragmentID {
        let blob = BlobID(uuid: UUIDv7(high: mix64(UInt64(number) &+ 7), low: UInt64(number)))
        return FragmentID(chunk: ChunkID(blob: blob, index: UInt32(number % 5)), number: fragment)
    }

    /// Bytes that only this seed gives.
    static func bytes(_ count: Int, seed: Int) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: count)
        bytes.withUnsafeMutableBytes { raw in
            var word = mix64(UInt64(bitPattern: Int64(seed)) &+ 99)
            for offset in stride(from: 0, to: count - 7, by: 8) {
                raw.storeBytes(of: word, toByteOffset: offset, as: UInt64.self)
                word = word &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            }
            for offset in count / 8 * 8..<count { raw[offset] = UInt8(truncatingIfNeeded: word >> UInt64(offset % 8)) }
        }
        return bytes
    }

    static func pieces(_ bytes: [UInt8], pieceSize: Int = 256 << 10) -> [Piece] {
        stride(from: 0, to: bytes.count, by: pieceSize).map {
            Piece(checksumming: ByteBuffer(bytes: bytes[$0..<min($0 + pieceSize, bytes.count)]))
        }
    }

    static func queue(_ pieces: [Piece], throwing error: (any Error)? = nil) throws -> BoundedQueue<Piece> {
        let queue = BoundedQueue<Piece>(capacity: max(1, pieces.count))
        for piece in pieces { _ = try queue.offer(piece) }
        queue.finish(throwing: error)
        return queue
    }
}

extension ChunkStore {
    @discardableResult
    func put(_ id: FragmentID, _ bytes: [UInt8], descriptor: [UInt8] = [], pieceSize: Int = 256 << 10) async throws -> FragmentInfo {
        try await put(id, descriptor: descriptor, pieces: StoreFixture.queue(StoreFixture.pieces(bytes, pieceSize: pieceSize)))
    }

    func bytes(_ id: FragmentID, _ range: Range<Int>? = nil) async throws -> [UInt8] {
        let bytes = Mutex<[UInt8]>([])
        _ = try await get(id, range: range) { piece in
            bytes.withLock { $0.append(contentsOf: piece.bytes.readableBytesView) }
        }
        return bytes.withLock { $0 }
    }

    func all(limit: Int = 7) -> [FragmentInfo] {
        var all: [FragmentInfo] = []
        var cursor: UInt64?
        repeat {
            let page = list(after: cursor, limit: limit)
            all += page.fragments
            cursor = page.next
        } while cursor != nil
        return all
    }
}
