public import Core

/// The seam between the store and an operating system: one data directory on one disk.
///
/// All calls are synchronous and may wait for the disk; all are safe from any thread. What they throw is ``DiskError``.
/// Nothing is durable before the matching `synchronize…` call has returned.
public protocol Disk: Sendable {
    /// Names the directory to people: in errors and logs.
    var path: String { get }
    /// The names of all files, in no order.
    func list() throws -> [String]
    /// Opens an existing file for reading and writing.
    func open(_ name: String) throws -> any DiskFile
    /// Makes an empty file, which must not exist, for reading and writing.
    func create(_ name: String) throws -> any DiskFile
    /// Removes a name. Files that are open stay readable.
    func remove(_ name: String) throws
    /// Renames atomically, replacing what had the new name.
    func rename(_ name: String, to newName: String) throws
    /// Makes creations, removals and renames durable.
    func synchronizeDirectory() throws
    /// Takes the lock file `name` for as long as the answer lives or until it is released.
    /// - Returns: nil when another process (or another store of this one) holds it.
    func lock(_ name: String) throws -> (any DiskLock)?
    func space() throws -> DiskSpace
}

/// An open file. Offsets and counts are bytes.
public protocol DiskFile: Sendable {
    /// Fills `buffer` from `offset` on.
    /// - Returns: the bytes read; fewer than asked for only at the end of the file.
    func read(into buffer: UnsafeMutableRawBufferPointer, at offset: Int) throws -> Int
    /// Fills `buffer` from `offset` on if that needs no waiting for the disk.
    /// - Returns: whether it did.
    func readIfCached(into buffer: UnsafeMutableRawBufferPointer, at offset: Int) -> Bool
    /// A range of the file to be sent from where it is, if the system has all of it in memory.
    func sliceIfCached(offset: Int, count: Int) -> FileSlice?
    /// Writes all of `bytes`, extending the file as needed.
    func write(_ bytes: UnsafeRawBufferPointer, at offset: Int) throws
    /// Makes the content and the size durable (fdatasync).
    func synchronizeData() throws
    /// Asks the system to begin writing a range to the disk. Promises nothing.
    func startWriteback(offset: Int, count: Int)
    /// Asks the system to forget what it has of a range in memory, so that it is read from the disk. Promises nothing.
    func dropCache(offset: Int, count: Int)
    func truncate(to byteCount: Int) throws
    /// Gives a range back to the file system; it reads as zeros. Does nothing where the file system cannot.
    func punchHole(offset: Int, count: Int) throws
    func byteCount() throws -> Int
    /// Bytes of the disk that the file takes: less than its size where it has holes.
    func allocatedByteCount() throws -> Int
}

extension DiskFile {
    public func readIfCached(into buffer: UnsafeMutableRawBufferPointer, at offset: Int) -> Bool { false }
    public func sliceIfCached(offset: Int, count: Int) -> FileSlice? { nil }
}

/// A lock that is held until released.
public protocol DiskLock: Sendable {
    func release()
}

/// Sizes of the file system under a data directory, in bytes.
public struct DiskSpace: Hashable, Sendable {
    public let capacityBytes: Int
    /// What an unprivileged process can still write.
    public let availableBytes: Int

    public init(capacityBytes: Int, availableBytes: Int) {
        self.capacityBytes = capacityBytes
        self.availableBytes = availableBytes
    }
}

/// A system call that failed.
public struct DiskError: Error, Hashable, Sendable, CustomStringConvertible {
    /// The call, and the file that it was for.
    public let operation: String
    public let errno: Int32

    public init(operation: String, errno: Int32) {
        self.operation = operation
        self.errno = errno
    }

    public var description: String { "\(operation): \(systemErrorText(errno))" }
}
