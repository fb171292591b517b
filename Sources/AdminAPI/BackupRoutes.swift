public import Core
internal import Foundation
public import HTTPEdge
internal import NIOCore
internal import NIOHTTP1
public import ObjectStore
internal import Synchronization

/// `GET /cluster/metadata/backup`: the metadata as a file.
public struct BackupRoutes: Sendable {
    private let backups: any MetadataBackups
    private let directory: String
    private let time: any TimeSource
    private let executor: any BlockingExecutor
    /// Every backup takes as much disk as the database, and reads all of it.
    private let turns = AsyncPermits(count: 1)

    /// - Parameters:
    ///   - directory: for files that are gone when the response has ended; nobody else's. Made when it is needed.
    ///   - executor: where the files are read.
    public init(_ backups: any MetadataBackups, directory: String, time: any TimeSource, executor: any BlockingExecutor) {
        self.backups = backups
        self.directory = directory
        self.time = time
        self.executor = executor
    }

    public var routes: [Route] { [Route(.GET, "/cluster/metadata/backup") { _, _ in try await backup() }] }

    /// Removes what a process left that was killed while it made a backup. Not while one is made; blocks.
    public func removeLeftovers() throws {
        guard FileManager.default.fileExists(atPath: directory) else { return }
        try FileManager.default.removeItem(atPath: directory)
    }

    private func backup() async throws -> HTTPResponse {
        guard let turn = BackupTurn(turns) else {
            throw Problem(.conflict, "backup-in-progress", title: "A backup is being made", detail: "there is one at a time")
        }
        let madeAt = time.now()
        let file = try await snapshot()
        let name = "chunkflow-metadata-\(CalendarDate(time.now()).compactText).sqlite"
        return HTTPResponse(
            status: .ok,
            headers: [
                "Content-Type": "application/octet-stream", "Content-Disposition": "attachment; filename=\"\(name)\"",
                "Repr-Digest": file.digestText, "Cache-Control": "no-store",
            ],
            body: .stream(byteCount: file.byteCount) { [executor, backups] writer in
                var sent: Int64 = 0
                while sent < file.byteCount {
                    let offset = sent
                    let piece = try await executor.run { try file.read(at: offset) }
                    sent += Int64(piece.readableBytes)
                    // Who has the last byte may ask for the next backup at once.
                    if sent == file.byteCount { turn.end() }
                    try await writer.write(piece)
                }
                await backups.noteBackup(madeAt: madeAt)
            })
    }

    private func snapshot() async throws -> SnapshotFile {
        let directory = directory
        let path = "\(directory)/\(UUID().uuidString).sqlite"
        try await executor.run { try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true) }
        try await backups.backUpMetadata(to: path)
        return try await executor.run { try SnapshotFile(takingOver: path) }
    }
}

/// The right to make a backup, until ``end()`` or the last reference to it goes.
private final class BackupTurn: Sendable {
    private let permits: AsyncPermits
    private let hasEnded = Mutex(false)

    /// - Returns: nil while somebody else has it.
    init?(_ permits: AsyncPermits) {
        guard permits.acquireIfAvailable() else { return nil }
        self.permits = permits
    }

    func end() {
        let isFirst = hasEnded.withLock { hasEnded in
            defer { hasEnded = true }
            return !hasEnded
        }
        if isFirst { permits.release() }
    }

    deinit { end() }
}
