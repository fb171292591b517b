import ChunkStore
import Core
import Foundation
import NIOCore
import Synchronization
import Testing

/// Reading for one who verifies.
@Suite("Telling where a fragment lies instead of reading it")
struct UnverifiedReadTests {
    private static let size = 5 * Piece.maximumSize + 12_345
    private static let id = StoreFixture.id(1)

    private struct Got {
        var bytes: [UInt8] = []
        /// Sizes of the pieces that were read, and of those that were not.
        var verified: [Int] = []
        var unread: [Int] = []
    }

    private static func get(_ store: ChunkStore, _ range: Range<Int>? = nil) async throws -> Got {
        let got = Mutex(Got())
        let info = try await store.getUnverified(id, range: range) { piece in
            switch piece {
            case .verified(let piece):
                got.withLock {
                    $0.bytes += piece.bytes.readableBytesView
                    $0.verified.append(piece.bytes.readableBytes)
                }
            case .unread(let slice, let checksums):
                let piece = Piece(bytes: try slice.read(), checksums: checksums)
                #expect(
                    piece.checksums.count == Piece.blockCount(forByteCount: slice.byteCount) && piece.bytes.readableBytes == slice.byteCount
                )
                got.withLock {
                    $0.bytes += piece.bytes.readableBytesView
                    $0.unread.append(slice.byteCount)
                }
            }
        }
        #expect(info == FragmentInfo(id: id, byteCount: size))
        return got.withLock { $0 }
    }

    private static func withStore(_ body: (ChunkStore, ObservedDisk, [UInt8]) async throws -> Void) async throws {
        let directory = try TemporaryDirectory()
        defer { directory.remove() }
        let disk = ObservedDisk(try PosixDisk(directory: directory.path))
        var configuration = StoreFixture.configuration(segmentSize: 64 << 20)
        configuration.inlineReadLimit = Piece.maximumSize
        let store = try await StoreFixture.open(disk, configuration: configuration)
        let bytes = StoreFixture.bytes(size, seed: 1)
        try await store.put(id, bytes)
        try await body(store, disk, bytes)
        await store.close()
    }

    @Test("is done where the system has it in memory, whole pieces of it, with the checksums that it was written with")
    func cached() async throws {
        try await Self.withStore { store, disk, bytes in
            disk.cachedByteCount = .max
            let got = try await Self.get(store)
            #expect(got.bytes == bytes)
            #expect(got.unread == [1 << 20, 1 << 20, 1 << 20, 1 << 20, 1 << 20, 12_345] && got.verified.isEmpty)
        }
    }

    @Test("is not done where it does not, nor for one who does not verify")
    func others() async throws {
        try await Self.withStore { store, disk, bytes in
            disk.cachedByteCount = 0
            let got = try await Self.get(store)
            #expect(got.bytes == bytes && got.unread.isEmpty)
            disk.cachedByteCount = .max
            #expect(try await store.bytes(Self.id) == bytes)
        }
    }

    @Test("of a damaged fragment the damage is handed out; who then asks for it verified is told, and nobody gets it again")
    func damage() async throws {
        try await Self.withStore { store, disk, bytes in
            disk.cachedByteCount = .max
            let segment = try #require(try disk.list().first { $0.hasSuffix(".segment") })
            let file = try #require(FileHandle(forUpdatingAtPath: "\(disk.path)/\(segment)"))
            let content = try #require(try file.readToEnd())
            let start = try #require(content.firstRange(of: Data(bytes[3_000_000..<3_000_100]))).lowerBound
            try file.seek(toOffset: UInt64(start))
            try file.write(contentsOf: Data([bytes[3_000_000] ^ 1]))
            try file.close()

            #expect(try await Self.get(store).bytes[3_000_000] == bytes[3_000_000] ^ 1)
            for _ in 0..<2 {
                await #expect { try await store.bytes(Self.id) } throws: {
                    if case ChunkStoreError.corrupt(Self.id, _) = $0 { true } else { false }
                }
            }
            await #expect { try await Self.get(store) } throws: { if case ChunkStoreError.corrupt = $0 { true } else { false } }
            #expect(store.quarantined() == [Self.id])
        }
    }

    @Test("any range is what was written, wherever memory ends", arguments: 1...5 as ClosedRange<UInt64>)
    func ranges(seed: UInt64) async throws {
        let random = SeededRandom(seed: seed)
        try await Self.withStore { store, disk, bytes in
            for _ in 0..<20 {
                disk.cachedByteCount = random.next(in: 0..<2) == 0 ? .max : random.next(in: 0..<Self.size + 100_000)
                let lower = random.next(in: 0..<Self.size)
                let upper = random.next(in: lower + 1..<Self.size + 1)
                let start = lower / Piece.blockSize * Piece.blockSize
                let end = min((upper + Piece.blockSize - 1) / Piece.blockSize * Piece.blockSize, Self.size)
                let got = try await Self.get(store, lower..<upper)
                #expect(got.bytes == Array(bytes[start..<end]), "seed \(seed), \(lower)..<\(upper)")
            }
        }
    }

    @Test("a file of the system is told of only where all of a range is in memory")
    func system() throws {
        let directory = try TemporaryDirectory()
        defer { directory.remove() }
        let file = try PosixDisk(directory: directory.path).create("file")
        let bytes = StoreFixture.bytes(1 << 20, seed: 1)
        try bytes.withUnsafeBytes { try file.write($0, at: 0) }
        try file.synchronizeData()
        // Linux before 6.5 cannot tell, and then it is never done.
        if let slice = file.sliceIfCached(offset: 4_000, count: 500_000) {
            #expect(try slice.read() == ByteBuffer(bytes: bytes[4_000..<504_000]))
        }
        #expect(file.sliceIfCached(offset: 4_000, count: 0) == nil)
        #expect(file.sliceIfCached(offset: 1 << 20, count: 1) == nil)
        // Nobody has read what was never written.
        try file.truncate(to: 2 << 20)
        #expect(file.sliceIfCached(offset: (1 << 20) - 4_096, count: 8_192) == nil)
    }
}
