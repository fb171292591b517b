internal import ChunkStore
internal import Core

#if canImport(Glibc)
    internal import Glibc
#else
    internal import Darwin
#endif

/// Tries the file system of a data directory. Blocks.
struct DiskExamination {
    private static let subject = "disk"
    private static let trialCount = 16
    private static let trialSize = 4_096
    /// Median time of an fdatasync from which on it is worth a word: ten times what a slow SSD takes.
    private static let slow = Duration.milliseconds(50)
    /// Shares of the file system that should be free.
    private static let (few, tooFew) = (0.10, 0.01)

    let directory: String
    let time: any TimeSource

    func findings(durability: Durability) -> [Finding] {
        guard let place = existingPlace() else {
            return [
                .problem(
                    Self.subject, "\(directory) is no directory and cannot be made: a file is in the way",
                    do: "give --data-dir another directory")
            ]
        }
        let trial: Duration
        do {
            trial = try medianSync(in: place)
        } catch {
            return [
                .problem(
                    Self.subject, "\(place) cannot be written to: \(error)",
                    do: "give the directory to the user that the server runs as, or name another with --data-dir")
            ]
        }
        return [kind(of: place), room(in: place), speed(trial, in: place, durability)]
    }

    func space() throws -> DiskSpace {
        guard let place = existingPlace() else { throw DiskError(operation: "statvfs \(directory)", errno: ENOENT) }
        return try Self.space(of: place)
    }

    /// The data directory, or what it will be made in.
    private func existingPlace() -> String? {
        var place = directory
        while true {
            var status = stat()
            if stat(place, &status) == 0 { return status.st_mode & S_IFMT == S_IFDIR ? place : nil }
            guard errno == ENOENT else { return nil }
            guard let slash = place.lastIndex(of: "/") else { return "." }
            place = slash == place.startIndex ? "/" : String(place[..<slash])
        }
    }

    // MARK: Kind

    private func kind(of place: String) -> Finding {
        let shown = place == directory ? directory : "\(directory) (to be made in \(place))"
        guard let mounts = try? Self.mounts(), let type = MountTable(mounts).fileSystem(of: Self.resolved(place)) else {
            return .ok(Self.subject, shown)
        }
        let detail = "\(shown): \(type)"
        switch type {
        case "tmpfs", "ramfs":
            return .warning(
                Self.subject, "\(detail), which is memory: everything is gone when the machine stops", do: "use a directory on a disk")
        case "overlay", "aufs":
            return .warning(
                Self.subject, "\(detail), which is a container's own: everything is gone with the container", do: "mount a volume there")
        case "nfs", "nfs4", "cifs", "smb3", "9p", "fuse.sshfs":
            return .warning(
                Self.subject, "\(detail), which is another machine's: locks and fsync are only as good as that makes them",
                do: "use a disk of this machine; chunkFlow keeps the copies")
        default:
            return .ok(Self.subject, detail)
        }
    }

    private static func resolved(_ path: String) -> String {
        guard let resolved = realpath(path, nil) else { return path }
        defer { free(resolved) }
        return String(cString: resolved)
    }

    /// As Linux tells it; empty elsewhere.
    private static func mounts() throws -> String {
        guard let file = fopen("/proc/self/mountinfo", "r") else { return "" }
        defer { fclose(file) }
        var bytes: [UInt8] = []
        var block = [UInt8](repeating: 0, count: 64 << 10)
        while case let count = fread(&block, 1, block.count, file), count > 0 { bytes += block[..<count] }
        return String(decoding: bytes, as: UTF8.self)
    }

    // MARK: Room

    private static func space(of place: String) throws -> DiskSpace {
        var information = statvfs()
        guard statvfs(place, &information) == 0 else { throw DiskError(operation: "statvfs \(place)", errno: errno) }
        let unit = Int(information.f_frsize)
        return DiskSpace(capacityBytes: Int(information.f_blocks) * unit, availableBytes: Int(information.f_bavail) * unit)
    }

    private func room(in place: String) -> Finding {
        let subject = "disk space"
        guard let space = try? Self.space(of: place), space.capacityBytes > 0 else { return .ok(subject, "not known") }
        let free = Double(space.availableBytes) / Double(space.capacityBytes)
        let detail = "\(Self.gibibytes(space.availableBytes)) of \(Self.gibibytes(space.capacityBytes)) are free"
        if free < Self.tooFew {
            return .problem(subject, "\(detail): nothing can be stored", do: "free some, or add nodes and drain this one")
        }
        if free < Self.few { return .warning(subject, detail, do: "add nodes, or give this one a smaller weight, before it is full") }
        return .ok(subject, detail)
    }

    private static func gibibytes(_ byteCount: Int) -> String {
        let tenths = byteCount / ((1 << 30) / 10)
        return "\(tenths / 10).\(tenths % 10) GiB"
    }

    // MARK: Speed

    /// Writes and syncs a file, as a commit does, and removes it.
    private func medianSync(in place: String) throws -> Duration {
        var template = Array("\(place)/.chunkflow-doctor-XXXXXX".utf8CString)
        let file = mkstemp(&template)
        guard file >= 0 else { throw DiskError(operation: "create a file", errno: errno) }
        defer { close(file) }
        // The name goes at once: the file goes with its descriptor, whatever happens.
        guard unlink(template) == 0 else { throw DiskError(operation: "remove a file", errno: errno) }
        let block = [UInt8](repeating: 0x5A, count: Self.trialSize)
        var durations: [Duration] = []
        for number in 0..<Self.trialCount {
            guard pwrite(file, block, block.count, off_t(number * block.count)) == block.count else {
                throw DiskError(operation: "write", errno: errno)
            }
            let before = time.monotonicNow()
            #if canImport(Glibc)
                guard fdatasync(file) == 0 else { throw DiskError(operation: "fdatasync", errno: errno) }
            #else
                guard fsync(file) == 0 else { throw DiskError(operation: "fsync", errno: errno) }
            #endif
            durations.append(time.monotonicNow() - before)
        }
        return durations.sorted()[durations.count / 2]
    }

    private func speed(_ median: Duration, in place: String, _ durability: Durability) -> Finding {
        let subject = "disk fsync"
        let tenths = median.nanoseconds / 100_000
        let detail = "works, and takes " + (tenths == 0 ? "less than 0.1 ms" : "\(tenths / 10).\(tenths % 10) ms")
        guard median > Self.slow, durability == .fsync else { return .ok(subject, detail) }
        return .warning(subject, "\(detail): every upload waits for it", do: "use an SSD, or a disk that nobody else keeps busy")
    }
}

/// What is mounted where, as `/proc/self/mountinfo` has it (proc(5)). Pure.
package struct MountTable {
    private var mounts: [(point: String, type: String)] = []

    package init(_ text: String) {
        for line in text.split(separator: "\n") {
            let fields = line.split(separator: " ")
            // Optional fields stand between the sixth and a dash.
            guard fields.count > 6, let dash = fields.firstIndex(of: "-"), dash + 1 < fields.count else { continue }
            mounts.append((Self.unescaped(fields[4]), String(fields[dash + 1])))
        }
    }

    /// The type of the file system that an absolute path is on; nil when the table does not have it.
    package func fileSystem(of path: String) -> String? {
        var best: (point: String, type: String)?
        // Of several at one point the last covers the others.
        for mount in mounts where Self.contains(mount.point, path) && mount.point.count >= best?.point.count ?? 0 { best = mount }
        return best?.type
    }

    private static func contains(_ point: String, _ path: String) -> Bool {
        point == "/" || path == point || path.hasPrefix(point + "/")
    }

    /// Blanks and the like are written as `\040`.
    private static func unescaped(_ text: Substring) -> String {
        var bytes: [UInt8] = []
        var rest = text.utf8[...]
        while let byte = rest.first {
            if byte == UInt8(ascii: "\\"), rest.count >= 4, let value = UInt8(String(rest.dropFirst().prefix(3)) ?? "", radix: 8) {
                bytes.append(value)
                rest = rest.dropFirst(4)
            } else {
                bytes.append(byte)
                rest = rest.dropFirst()
            }
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}
