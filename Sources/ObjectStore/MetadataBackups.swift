public import Core
internal import Logging
internal import Metadata

/// What the edge asks for when an operator wants a backup. Safe to call from any task.
public protocol MetadataBackups: Sendable {
    /// Writes all metadata, as they are at one moment, to a file that must not be there yet. Clients are served meanwhile.
    /// - Throws: ``StoreError``; then there is no file.
    func backUpMetadata(to path: String) async throws
    /// Says that a backup made at `time` has reached whoever asked for it. A failure is logged, and no reason to worry anybody.
    func noteBackup(madeAt time: Timestamp) async
}

extension ObjectStore: MetadataBackups {
    public func backUpMetadata(to path: String) async throws {
        try await committing { try await self.metadata.backup(to: path) }
    }

    public func noteBackup(madeAt time: Timestamp) async {
        do {
            try await metadata.setMoment(named: Self.backupMoment, to: time)
        } catch {
            logger.warning("the time of the backup was not kept", metadata: ["error": "\(error)"])
        }
    }
}
