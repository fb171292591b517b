import ChunkStore
import Core
import Foundation
import Logging
import NIOCore

/// What the parts of the benchmark share.
struct Bench: Sendable {
    let root: String
    let executor: ThreadPoolExecutor
    /// Divides the work.
    let scale: Int

    func path(_ name: String) throws -> String {
        let path = "\(root)/\(name)"
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        return path
    }

    func store(_ name: String, _ configuration: ChunkStore.Configuration = .init()) async throws -> ChunkStore {
        try await ChunkStore.open(
            disk: PosixDisk(directory: path(name)), configuration: configuration, executor: executor, time: SystemTime(),
            random: SystemRandom(), logger: Logger(label: "benchmark", factory: { _ in SwiftLogNoOpLogHandler() }))
    }

    func remove(_ name: String) throws { try FileManager.default.removeItem(atPath: "\(root)/\(name)") }

    static func id(_ number: Int) -> FragmentID {
        FragmentID(chunk: ChunkID(blob: BlobID(uuid: UUIDv7(high: mix64(UInt64(number)), low: UInt64(number))), index: 0))
    }

    static func pieces(_ byteCount: Int, pieceSize: Int = 1 << 20) -> [Piece] {
        let bytes = ByteBuffer(bytes: (0..<byteCount).map { UInt8(truncatingIfNeeded: mix64(UInt64($0 / 8)) >> UInt64($0 % 8 * 8)) })
        return stride(from: 0, to: byteCount, by: pieceSize).map { start in
            Piece(checksumming: bytes.getSlice(at: start, length: min(pieceSize, byteCount - start)) ?? ByteBuffer())
        }
    }

    static func seconds(_ body: () async throws -> Void) async throws -> Double {
        let start = ContinuousClock.now
        try await body()
        let elapsed = start.duration(to: .now)
        return Double(elapsed.nanoseconds) / 1e9
    }

    /// CPU time of the process so far, in seconds.
    static func cpuSeconds() -> Double {
        var usage = rusage()
        getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage)
        return Double(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) + Double(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6
    }

    static func text(_ value: Double, _ digits: Int = 0) -> String { String(format: "%.\(digits)f", value) }
}

extension ChunkStore {
    func put(_ id: FragmentID, _ pieces: [Piece]) async throws {
        let queue = BoundedQueue<Piece>(capacity: max(1, pieces.count))
        for piece in pieces { _ = try queue.offer(piece) }
        queue.finish()
        _ = try await put(id, descriptor: [], pieces: queue)
    }
}

/// A plain file, for the limits of the machine.
final class RawFile {
    private let file: any DiskFile
    private var end = 0

    init(_ directory: String) throws {
        let disk = try PosixDisk(directory: directory)
        file = try disk.create("raw")
    }

    func append(_ bytes: UnsafeRawBufferPointer) throws {
        try file.write(bytes, at: end)
        end += bytes.count
    }

    func synchronize() throws { try file.synchronizeData() }
    func read(into buffer: UnsafeMutableRawBufferPointer, at offset: Int) throws -> Int { try file.read(into: buffer, at: offset) }
}
