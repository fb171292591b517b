import ChunkStore
import Core
import Dispatch
import Foundation
import Synchronization

/// A directory that is removed with everything in it.
struct TemporaryDirectory {
    let path: String

    init() throws {
        path = FileManager.default.temporaryDirectory.appendingPathComponent("chunkstore-\(UUID().uuidString)").path
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    }

    func remove() { try? FileManager.default.removeItem(atPath: path) }
}

/// Stands between a store and a disk: counts fdatasyncs, and can pretend that the disk has just become full.
final class ObservedDisk: Disk {
    private final class File: DiskFile {
        let file: any DiskFile
        let disk: ObservedDisk
        let isSegment: Bool
        let name: String

        init(_ file: any DiskFile, _ name: String, _ disk: ObservedDisk) {
            self.file = file
            isSegment = name.hasSuffix(".segment")
            self.name = name
            self.disk = disk
        }

        func read(into buffer: UnsafeMutableRawBufferPointer, at offset: Int) throws -> Int {
            disk.reads.add(1, ordering: .relaxed)
            disk.readHook.withLock { $0 }?()
            return try file.read(into: buffer, at: offset)
        }
        func readIfCached(into buffer: UnsafeMutableRawBufferPointer, at offset: Int) -> Bool {
            guard offset + buffer.count <= disk.cachedByteCount else { return false }
            return (try? file.read(into: buffer, at: offset)) == buffer.count
        }
        func sliceIfCached(offset: Int, count: Int) -> FileSlice? {
            guard offset + count <= disk.cachedByteCount, let file = FileHandle(forReadingAtPath: "\(disk.path)/\(name)") else {
                return nil
            }
            return FileSlice(of: file.fileDescriptor, offset: offset, byteCount: count)
        }
        func write(_ bytes: UnsafeRawBufferPointer, at offset: Int) throws {
            if disk.refusesOverwriting, try offset < file.byteCount() { throw DiskError(operation: "write", errno: EIO) }
            guard disk.isFull else { return try file.write(bytes, at: offset) }
            // Half of it still fits.
            try file.write(UnsafeRawBufferPointer(rebasing: bytes[..<(bytes.count / 2)]), at: offset)
            throw DiskError(operation: "write", errno: ENOSPC)
        }
        func synchronizeData() throws {
            disk.count.add(1, ordering: .relaxed)
            if isSegment, try file.byteCount() > 4096 { disk.hook.withLock { $0.take() }?() }
            try file.synchronizeData()
        }
        func startWriteback(offset: Int, count: Int) { file.startWriteback(offset: offset, count: count) }
        func dropCache(offset: Int, count: Int) { file.dropCache(offset: offset, count: count) }
        func truncate(to byteCount: Int) throws { try file.truncate(to: byteCount) }
        func punchHole(offset: Int, count: Int) throws { try file.punchHole(offset: offset, count: count) }
        func byteCount() throws -> Int { try file.byteCount() }
        func allocatedByteCount() throws -> Int { try file.allocatedByteCount() }
    }

    private let disk: any Disk
    private let count = Atomic<Int>(0)
    private let full = Atomic<Bool>(false)
    private let overwritingRefused = Atomic<Bool>(false)
    private let hook = Mutex<(@Sendable () -> Void)?>(nil)
    private let reads = Atomic<Int>(0)
    private let cached = Atomic<Int>(0)
    private let readHook = Mutex<(@Sendable () -> Void)?>(nil)

    init(_ disk: any Disk) { self.disk = disk }

    /// Bytes at the beginning of every file that the system has in memory.
    var cachedByteCount: Int {
        get { cached.load(ordering: .relaxed) }
        set { cached.store(newValue, ordering: .relaxed) }
    }

    /// Reads so far that may have waited for the disk.
    var readCount: Int { reads.load(ordering: .relaxed) }

    /// Runs `body` at the beginning of every read from now on.
    func beforeReads(_ body: @escaping @Sendable () -> Void) { readHook.withLock { $0 = body } }

    /// fdatasyncs so far.
    var synchronizations: Int { count.load(ordering: .relaxed) }

    var isFull: Bool {
        get { full.load(ordering: .relaxed) }
        set { full.store(newValue, ordering: .relaxed) }
    }

    /// Whether writes before the end of a file fail with EIO.
    var refusesOverwriting: Bool {
        get { overwritingRefused.load(ordering: .relaxed) }
        set { overwritingRefused.store(newValue, ordering: .relaxed) }
    }

    /// Holds the next fdatasync of a segment with records up, on its thread, until `body` has ended; `body` begins when the
    /// fdatasync is reached.
    func duringNextSynchronization(_ body: @escaping @Sendable () async throws -> Void) -> Task<Void, any Error> {
        let done = DispatchSemaphore(value: 0)
        let arrival = AsyncStream<Void>.makeStream()
        hook.withLock { hook in
            hook = {
                arrival.continuation.finish()
                done.wait()
            }
        }
        return Task {
            for await _ in arrival.stream {}
            defer { done.signal() }
            try await body()
        }
    }

    var path: String { disk.path }
    func list() throws -> [String] { try disk.list() }
    func open(_ name: String) throws -> any DiskFile { File(try disk.open(name), name, self) }
    func create(_ name: String) throws -> any DiskFile { File(try disk.create(name), name, self) }
    func remove(_ name: String) throws { try disk.remove(name) }
    func rename(_ name: String, to newName: String) throws { try disk.rename(name, to: newName) }
    func synchronizeDirectory() throws { try disk.synchronizeDirectory() }
    func lock(_ name: String) throws -> (any DiskLock)? { try disk.lock(name) }
    func space() throws -> DiskSpace { try disk.space() }
}

struct NotInTime: Error {}

/// Waits until `condition` holds, ten seconds at most.
func eventually(_ condition: () -> Bool) async throws {
    let deadline = ContinuousClock.now + .seconds(10)
    while !condition() {
        guard ContinuousClock.now < deadline else { throw NotInTime() }
        await Task.yield()
    }
}
