internal import Core

/// A disk whose faults are counted.
struct WatchedDisk: Disk {
    private let disk: any Disk
    private let faults: DiskFaults

    init(_ disk: any Disk, faults: DiskFaults) {
        self.disk = disk
        self.faults = faults
    }

    var path: String { disk.path }

    func list() throws -> [String] { try disk.list() }
    func open(_ name: String) throws -> any DiskFile { WatchedFile(file: try disk.open(name), faults: faults) }
    func create(_ name: String) throws -> any DiskFile { WatchedFile(file: try disk.create(name), faults: faults) }
    func remove(_ name: String) throws { try disk.remove(name) }
    func rename(_ name: String, to newName: String) throws { try disk.rename(name, to: newName) }
    func synchronizeDirectory() throws { try faults.flushing { try disk.synchronizeDirectory() } }
    func lock(_ name: String) throws -> (any DiskLock)? { try disk.lock(name) }
    func space() throws -> DiskSpace { try disk.space() }
}

private struct WatchedFile: DiskFile {
    let file: any DiskFile
    let faults: DiskFaults

    func read(into buffer: UnsafeMutableRawBufferPointer, at offset: Int) throws -> Int {
        try faults.reading { try file.read(into: buffer, at: offset) }
    }
    func readIfCached(into buffer: UnsafeMutableRawBufferPointer, at offset: Int) -> Bool { file.readIfCached(into: buffer, at: offset) }
    func sliceIfCached(offset: Int, count: Int) -> FileSlice? { file.sliceIfCached(offset: offset, count: count) }
    func write(_ bytes: UnsafeRawBufferPointer, at offset: Int) throws { try faults.writing { try file.write(bytes, at: offset) } }
    func synchronizeData() throws { try faults.flushing { try file.synchronizeData() } }
    func startWriteback(offset: Int, count: Int) { file.startWriteback(offset: offset, count: count) }
    func dropCache(offset: Int, count: Int) { file.dropCache(offset: offset, count: count) }
    func truncate(to byteCount: Int) throws { try faults.writing { try file.truncate(to: byteCount) } }
    func punchHole(offset: Int, count: Int) throws { try file.punchHole(offset: offset, count: count) }
    func byteCount() throws -> Int { try file.byteCount() }
    func allocatedByteCount() throws -> Int { try file.allocatedByteCount() }
}
