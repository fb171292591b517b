package import Core
internal import Foundation

/// Sends one file of this machine, and checks what the server says of it.
package struct FileUpload: Sendable {
    private let connection: ServerConnection
    private let executor: any BlockingExecutor
    private let note: @Sendable (String) -> Void

    package init(connection: ServerConnection, executor: any BlockingExecutor, note: @escaping @Sendable (String) -> Void) {
        self.connection = connection
        self.executor = executor
        self.note = note
    }

    /// - Parameter makeProgress: asked once the file's size is known, for every attempt.
    /// - Throws: ``ClientError``.
    package func run(
        path: String, name: String, contentType: String, retries: RetryPolicy, makeProgress: (Int64) -> TransferProgress
    ) async throws -> FileDescription {
        var retries = retries
        let (file, before) = try await executor.run {
            // Whoever opens a pipe without O_NONBLOCK waits for somebody to write to it.
            let file = try FileDescriptor(opening: path, flags: O_RDONLY | O_NONBLOCK)
            return (file, try FileStamp(file))
        }
        while true {
            let progress = makeProgress(before.byteCount)
            defer { progress.end() }
            let source = UploadSource(file, byteCount: before.byteCount, executor: executor, progress: progress)
            do {
                let stored = try await connection.upload(source, name: name, contentType: contentType)
                try await check(stored, against: source, of: file, before)
                return stored
            } catch ClientError.connectionLost(let detail) where source.isExhausted {
                // Sending it again could store it twice.
                throw ClientError.outcomeUnknown(detail: detail)
            } catch let error as ClientError {
                try await retries.wait(after: error, telling: note)
            }
        }
    }

    /// What is wrong does not stay on the server.
    private func check(_ stored: FileDescription, against source: UploadSource, of file: FileDescriptor, _ before: FileStamp) async throws {
        var problem: ClientError?
        if stored.size != source.byteCount {
            problem = .corrupt(detail: "the server stored \(stored.size) bytes instead of \(source.byteCount)")
        } else if let crc32c = stored.crc32c {
            if crc32c != source.crc32c { problem = .corrupt(detail: "what the server stored does not match the checksum of what was sent") }
        } else {
            problem = .unexpectedAnswer(detail: "the file has no checksum that this client knows")
        }
        if problem == nil, try await executor.run({ try FileStamp(file) }) != before {
            problem = .localFile(path: file.path, detail: "changed while it was read")
        }
        guard let problem else { return }
        do { try await connection.delete(stored.fileID) } catch { note("\(stored.fileID) could not be removed again: \(error)") }
        throw problem
    }
}

/// What tells whether a file has changed.
private struct FileStamp: Equatable {
    let byteCount: Int64
    let modifiedSeconds: Int
    let modifiedNanoseconds: Int

    init(_ file: FileDescriptor) throws {
        let status = try file.status()
        guard status.st_mode & S_IFMT == S_IFREG else { throw ClientError.localFile(path: file.path, detail: "not a regular file") }
        byteCount = Int64(status.st_size)
        #if canImport(Darwin)
            (modifiedSeconds, modifiedNanoseconds) = (status.st_mtimespec.tv_sec, status.st_mtimespec.tv_nsec)
        #else
            (modifiedSeconds, modifiedNanoseconds) = (status.st_mtim.tv_sec, status.st_mtim.tv_nsec)
        #endif
    }
}
