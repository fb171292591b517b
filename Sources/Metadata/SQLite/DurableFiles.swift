internal import Foundation

/// Steps with which a file takes its name so that after a crash the old one or the new one is there, whole. All of them block.
/// Safe to call from any thread. Throws ``MetadataError/failure(detail:)``.
enum DurableFiles {
    /// Bytes that are copied at once.
    private static let pieceSize = 1 << 20

    /// Whether the name is taken, be it by a link that leads nowhere.
    static func exists(_ path: String) -> Bool {
        var status = stat()
        return lstat(path, &status) == 0
    }

    static func synchronize(_ path: String) throws {
        let file = open(path, O_RDONLY | O_CLOEXEC)
        guard file >= 0 else { throw failure("cannot open", path) }
        defer { close(file) }
        guard fsync(file) == 0 else { throw failure("cannot flush", path) }
    }

    /// The directory that `path` is in: makes names durable.
    static func synchronizeDirectory(of path: String) throws {
        try synchronize(URL(fileURLWithPath: path).deletingLastPathComponent().path)
    }

    /// Replaces what has the new name.
    static func rename(_ path: String, to newPath: String) throws {
        guard Foundation.rename(path, newPath) == 0 else { throw failure("cannot rename to \(newPath)", path) }
    }

    /// Gives a file a second name that nothing has yet.
    static func link(_ path: String, as newPath: String) throws {
        guard Foundation.link(path, newPath) == 0 else { throw failure("cannot link as \(newPath)", path) }
    }

    /// Does nothing when it is not there.
    static func remove(_ path: String) throws {
        guard unlink(path) == 0 || errno == ENOENT else { throw failure("cannot remove", path) }
    }

    /// A copy with rights of its own; what had the name is replaced. Not durable yet.
    static func copy(_ path: String, to newPath: String) throws {
        do {
            let source = try FileHandle(forReadingFrom: URL(fileURLWithPath: path))
            defer { try? source.close() }
            let file = open(newPath, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o644)
            guard file >= 0 else { throw failure("cannot open", newPath) }
            let target = FileHandle(fileDescriptor: file, closeOnDealloc: true)
            while let piece = try source.read(upToCount: pieceSize), !piece.isEmpty { try target.write(contentsOf: piece) }
            try target.close()
        } catch let error as MetadataError {
            throw error
        } catch {
            throw MetadataError.failure(detail: "cannot copy \(path) to \(newPath): \(error.localizedDescription)")
        }
    }

    private static func failure(_ what: String, _ path: String) -> MetadataError {
        let reason = errno
        return reason == ENOSPC ? .diskFull : .failure(detail: "\(what): \(path): \(String(cString: strerror(reason)))")
    }
}
