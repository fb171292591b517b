internal import Core

#if os(Linux)
    internal import CLinux
#endif
#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// A directory of the local file system.
public struct PosixDisk: Disk {
    public let path: String

    /// Opens `directory`, making it (mode 0700) and its parents when missing.
    ///
    /// Every segment stays open, so the process's soft limit of open files is raised to its hard one.
    /// - Throws: ``DiskError``.
    public init(directory: String) throws {
        path = directory
        try Self.makeDirectory(directory)
        Self.raiseOpenFileLimit()
    }

    private static func makeDirectory(_ directory: String) throws {
        if mkdir(directory, 0o700) == 0 { return }
        switch errno {
        case EEXIST:
            return
        case ENOENT:
            guard let slash = directory.lastIndex(of: "/"), slash != directory.startIndex else {
                throw DiskError(operation: "mkdir \(directory)", errno: ENOENT)
            }
            try makeDirectory(String(directory[..<slash]))
            guard mkdir(directory, 0o700) == 0 || errno == EEXIST else { throw DiskError(operation: "mkdir \(directory)", errno: errno) }
        default:
            throw DiskError(operation: "mkdir \(directory)", errno: errno)
        }
    }

    private static func raiseOpenFileLimit() {
        #if os(Linux)
            var limit = rlimit()
            let resource = __rlimit_resource_t(RLIMIT_NOFILE.rawValue)
            guard getrlimit(resource, &limit) == 0, limit.rlim_cur < limit.rlim_max else { return }
            limit.rlim_cur = limit.rlim_max
            // A refusal leaves the limit as it was; opening files then fails with its own error.
            _ = setrlimit(resource, &limit)
        #endif
    }

    public func list() throws -> [String] {
        guard let stream = opendir(path) else { throw DiskError(operation: "opendir \(path)", errno: errno) }
        defer { closedir(stream) }
        var names: [String] = []
        errno = 0
        while let entry = readdir(stream) {
            let name = withUnsafeBytes(of: &entry.pointee.d_name) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
            if name != "." && name != ".." { names.append(name) }
            errno = 0
        }
        guard errno == 0 else { throw DiskError(operation: "readdir \(path)", errno: errno) }
        return names
    }

    public func open(_ name: String) throws -> any DiskFile { try PosixFile(path: "\(path)/\(name)", flags: O_RDWR) }

    public func create(_ name: String) throws -> any DiskFile {
        try PosixFile(path: "\(path)/\(name)", flags: O_RDWR | O_CREAT | O_EXCL)
    }

    public func remove(_ name: String) throws { try check(unlink("\(path)/\(name)"), "unlink \(path)/\(name)") }

    public func rename(_ name: String, to newName: String) throws {
        #if canImport(Glibc)
            let code = Glibc.rename("\(path)/\(name)", "\(path)/\(newName)")
        #elseif canImport(Musl)
            let code = Musl.rename("\(path)/\(name)", "\(path)/\(newName)")
        #else
            let code = Darwin.rename("\(path)/\(name)", "\(path)/\(newName)")
        #endif
        try check(code, "rename \(path)/\(name)")
    }

    public func synchronizeDirectory() throws { try PosixFile(path: path, flags: O_RDONLY | O_DIRECTORY).synchronize() }

    public func lock(_ name: String) throws -> (any DiskLock)? {
        let file = try PosixFile(path: "\(path)/\(name)", flags: O_RDWR | O_CREAT)
        guard flock(file.descriptor, LOCK_EX | LOCK_NB) == 0 else {
            if errno == EWOULDBLOCK { return nil }
            throw DiskError(operation: "flock \(path)/\(name)", errno: errno)
        }
        return PosixLock(file: file)
    }

    public func space() throws -> DiskSpace {
        var information = statvfs()
        try check(statvfs(path, &information), "statvfs \(path)")
        let unit = Int(information.f_frsize)
        return DiskSpace(capacityBytes: Int(information.f_blocks) * unit, availableBytes: Int(information.f_bavail) * unit)
    }
}

/// An open file descriptor, closed with the last reference to it.
final class PosixFile: DiskFile {
    let descriptor: Int32
    private let path: String
    /// What could not be sent from here is read from then on: reading tells what is the matter.
    private let sliceFailure = SliceFailure()

    init(path: String, flags: Int32) throws {
        self.path = path
        #if canImport(Glibc)
            descriptor = Glibc.open(path, flags | O_CLOEXEC, 0o600)
        #elseif canImport(Musl)
            descriptor = Musl.open(path, flags | O_CLOEXEC, 0o600)
        #else
            descriptor = Darwin.open(path, flags | O_CLOEXEC, 0o600)
        #endif
        if descriptor < 0 { throw DiskError(operation: "open \(path)", errno: errno) }
    }

    deinit { close(descriptor) }

    func read(into buffer: UnsafeMutableRawBufferPointer, at offset: Int) throws -> Int {
        var done = 0
        while done < buffer.count {
            let count = pread(descriptor, buffer.baseAddress! + done, buffer.count - done, off_t(offset + done))
            if count < 0 {
                if errno == EINTR { continue }
                throw DiskError(operation: "pread \(path)", errno: errno)
            }
            if count == 0 { break }
            done += count
        }
        return done
    }

    func readIfCached(into buffer: UnsafeMutableRawBufferPointer, at offset: Int) -> Bool {
        #if os(Linux)
            var part = iovec(iov_base: buffer.baseAddress, iov_len: buffer.count)
            // What a file system cannot, or cannot all of it, is read the other way.
            return preadv2(descriptor, &part, 1, off_t(offset), CLINUX_RWF_NOWAIT) == buffer.count
        #else
            return false
        #endif
    }

    func sliceIfCached(offset: Int, count: Int) -> FileSlice? {
        #if os(Linux)
            let page = Int(sysconf(Int32(_SC_PAGESIZE)))
            let pages = (offset + count - 1) / page - offset / page + 1
            guard count > 0, !sliceFailure.isSet, clinux_cached_pages(descriptor, UInt64(offset), UInt64(count)) == pages,
                // Pages count that are still being read.
                isReady(offset), isReady(offset + count - 1)
            else { return nil }
            return FileSlice(of: descriptor, offset: offset, byteCount: count, failure: sliceFailure)
        #else
            return nil
        #endif
    }

    private func isReady(_ offset: Int) -> Bool {
        var byte: UInt8 = 0
        return withUnsafeMutableBytes(of: &byte) { readIfCached(into: $0, at: offset) }
    }

    func write(_ bytes: UnsafeRawBufferPointer, at offset: Int) throws {
        var done = 0
        while done < bytes.count {
            let count = pwrite(descriptor, bytes.baseAddress! + done, bytes.count - done, off_t(offset + done))
            if count < 0 {
                if errno == EINTR { continue }
                throw DiskError(operation: "pwrite \(path)", errno: errno)
            }
            done += count
        }
    }

    func synchronizeData() throws {
        #if os(Linux)
            // Never repeated after a failure: the kernel forgets the pages that it could not write.
            try check(fdatasync(descriptor), "fdatasync \(path)")
        #else
            try check(fcntl(descriptor, F_FULLFSYNC), "fsync \(path)")
        #endif
    }

    /// fsync, which a directory wants.
    func synchronize() throws { try check(fsync(descriptor), "fsync \(path)") }

    func startWriteback(offset: Int, count: Int) {
        #if os(Linux)
            // Only a hint: what goes wrong shows itself to the fdatasync that follows.
            _ = sync_file_range(descriptor, off_t(offset), off_t(count), CLINUX_SYNC_FILE_RANGE_WRITE)
        #endif
    }

    func dropCache(offset: Int, count: Int) {
        #if os(Linux)
            _ = posix_fadvise(descriptor, off_t(offset), off_t(count), POSIX_FADV_DONTNEED)
        #endif
    }

    func truncate(to byteCount: Int) throws { try check(ftruncate(descriptor, off_t(byteCount)), "ftruncate \(path)") }

    func punchHole(offset: Int, count: Int) throws {
        #if os(Linux)
            let code = fallocate(descriptor, FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE, off_t(offset), off_t(count))
            if code != 0 && errno != EOPNOTSUPP { throw DiskError(operation: "fallocate \(path)", errno: errno) }
        #endif
    }

    func byteCount() throws -> Int { Int(try status().st_size) }
    func allocatedByteCount() throws -> Int { Int(try status().st_blocks) * 512 }

    private func status() throws -> stat {
        var status = stat()
        try check(fstat(descriptor, &status), "fstat \(path)")
        return status
    }
}

/// Holds a `flock`; the system drops it with the descriptor, also when the process dies.
private final class PosixLock: DiskLock {
    private let file: PosixFile
    init(file: PosixFile) { self.file = file }
    func release() { flock(file.descriptor, LOCK_UN) }
}

private func check(_ code: Int32, _ operation: @autoclosure () -> String) throws {
    guard code == 0 else { throw DiskError(operation: operation(), errno: errno) }
}

/// What the system says of an error number.
func systemErrorText(_ number: Int32) -> String {
    guard let text = strerror(number) else { return "error \(number)" }
    return String(cString: text)
}

/// Whether an error number means that there is no room left.
func meansFull(_ number: Int32) -> Bool { number == ENOSPC || number == EDQUOT }
