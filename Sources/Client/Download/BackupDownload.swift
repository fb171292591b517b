internal import Core

/// Brings a backup of the metadata here and checks it. One that breaks off is begun anew: the server makes another.
struct BackupDownload {
    let connection: ServerConnection
    let part: PartFile
    let executor: any BlockingExecutor
    let note: @Sendable (String) -> Void

    /// - Parameter makeProgress: asked once the size is known.
    /// - Returns: what was written, by then durable under its name.
    /// - Throws: ``ClientError``; then nothing stays.
    func run(retries: RetryPolicy, makeProgress: (_ byteCount: Int64) -> TransferProgress) async throws -> SHA256Digest {
        do {
            var retries = retries
            while true {
                do {
                    let digest = try await fetch(makeProgress)
                    try await executor.run { try part.commit() }
                    return digest
                } catch let error as ClientError { try await retries.wait(after: error, telling: note) }
            }
        } catch {
            try? await executor.run { part.discard() }
            throw error
        }
    }

    private func fetch(_ makeProgress: (_ byteCount: Int64) -> TransferProgress) async throws -> SHA256Digest {
        try await executor.run { try part.restart() }
        let backup = try await connection.metadataBackup()
        let progress = makeProgress(backup.byteCount)
        defer { progress.end() }
        var digest = SHA256Digest()
        try await backup.read { buffer in
            let before = digest
            digest = try await executor.run {
                var next = before
                try part.write(buffer, at: before.byteCount)
                next.update(buffer)
                return next
            }
            progress.update(digest.byteCount)
        }
        guard digest.byteCount == backup.byteCount else {
            throw ClientError.connectionLost(detail: "it ended after \(digest.byteCount) of \(backup.byteCount) bytes")
        }
        guard digest.fieldText == backup.digestText else {
            throw ClientError.corrupt(detail: "what arrived does not match its digest; it was thrown away")
        }
        return digest
    }
}
