import ChunkStore
import Core
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

        init(_ file: any DiskFile, _ disk: ObservedDisk) {
            self.file = file
            self.disk = disk
        }

        func read(into buffer: UnsafeMutableRawBufferPointer, at offset: Int) throws -> Int { try file.read(into: buffer, at: offset) }
        func write(_ bytes: UnsafeRawBufferPointer, at offset: Int) throws {
            guard disk.isFull else { return try file.write(bytes, at: offset) }
            // Half of it still fits.
            try file.write(UnsafeRawBufferPointer(rebasing: bytes[..<(bytes.count / 2)]), at: offset)
            throw DiskError(operation: "write", errno: ENOSPC)
        }
        func synchronizeData() throws {
            disk.count.add(1, ordering: .relaxed)
            try file.synchronizeData()
        }
        func startWriteback(offset: Int, count: Int) { file.startWriteback(offset: offset, count: count) }
        func truncate(to byteCount: Int) throws { try file.truncate(to: byteCount) }
        func punchHole(offset: Int, count: Int) throws { try file.punchHole(offset: offset, count: count) }
        func byteCount() throws -> Int { try file.byteCount() }
        func allocatedByteCount() throws -> Int { try file.allocatedByteCount() }
    }

    private let disk: any Disk
    private let count = Atomic<Int>(0)
    private let full = Atomic<Bool>(false)

    init(_ disk: any Disk) { self.disk = disk }

    /// fdatasyncs so far.
    var synchronizations: Int { count.load(ordering: .relaxed) }

    var isFull: Bool {
        get { full.load(ordering: .relaxed) }
        set { full.store(newValue, ordering: .relaxed) }
    }

    var path: String { disk.path }
    func list() throws -> [String] { try disk.list() }
    func open(_ name: String) throws -> any DiskFile { File(try disk.open(name), self) }
    func create(_ name: String) throws -> any DiskFile { File(try disk.create(name), self) }
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
