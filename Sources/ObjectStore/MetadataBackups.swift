internal import Metadata

/// What the edge asks for when an operator wants a backup. Safe to call from any task.
public protocol MetadataBackups: Sendable {
    /// Writes all metadata, as they are at one moment, to a file that must not be there yet. Clients are served meanwhile.
    /// - Throws: ``StoreError``; then there is no file.
    func backUpMetadata(to path: String) async throws
}

extension ObjectStore: MetadataBackups {
    public func backUpMetadata(to path: String) async throws {
        try await committing { try await self.metadata.backup(to: path) }
    }
}
