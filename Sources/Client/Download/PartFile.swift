internal import Foundation
package import NIOCore
internal import Synchronization

/// A download that becomes a file: `NAME.part` beside it, with `NAME.part.json` that says of which file it is a part,
/// so that a later run can go on where this one broke off. One process at a time.
package final class PartFile: DownloadSink {
    /// What `NAME.part.json` says.
    private struct Origin: Codable, Equatable {
        let fileID: String
        let etag: String?
        let size: Int64
    }

    private static let readSize = 1 << 20

    /// The file that it becomes.
    package let target: String
    private let part: FileDescriptor
    private let isCommitted = Atomic<Bool>(false)
    private var originPath: String { target + ".part.json" }

    package init(target: String) throws {
        self.target = target
        part = try FileDescriptor(opening: target + ".part", flags: O_RDWR | O_CREAT | O_NOFOLLOW)
        guard try part.lock() else { throw ClientError.localFile(path: part.path, detail: "another download is writing it") }
    }

    package func prepare(for file: FileDescription, check: inout ContentCheck) throws {
        let origin = Origin(fileID: file.fileID, etag: file.etag, size: file.size)
        let kept = FileManager.default.contents(atPath: originPath).flatMap { try? JSONDecoder().decode(Origin.self, from: $0) }
        guard file.etag != nil, kept == origin, try part.status().st_size <= file.size else {
            try restart()
            try write(origin)
            return
        }
        while true {
            let bytes = try part.read(Self.readSize, at: check.byteCount)
            if bytes.readableBytes == 0 { return }
            check.update(bytes)
        }
    }

    private func write(_ origin: Origin) throws {
        do {
            try JSONEncoder().encode(origin).write(to: URL(fileURLWithPath: originPath))
        } catch {
            throw ClientError.localFile(path: originPath, detail: "cannot be written")
        }
    }

    package func write(_ buffer: ByteBuffer, at offset: Int64) throws { try part.write(buffer, at: offset) }

    package func restart() throws { try part.truncate(to: 0) }

    /// Durable before it has its name, and its name durable before anybody is told of it.
    package func commit() throws {
        try part.synchronize()
        guard rename(part.path, target) == 0 else { throw FileDescriptor.failure(target) }
        isCommitted.store(true, ordering: .relaxed)
        unlink(originPath)
        let directory = URL(fileURLWithPath: target).deletingLastPathComponent().path
        try FileDescriptor(opening: directory, flags: O_RDONLY | O_DIRECTORY).synchronize()
    }

    /// A download that never began leaves nothing.
    deinit {
        guard !isCommitted.load(ordering: .relaxed), (try? part.status().st_size) == 0, !FileManager.default.fileExists(atPath: originPath)
        else { return }
        unlink(part.path)
    }

    package func discard() {
        unlink(part.path)
        unlink(originPath)
    }
}
