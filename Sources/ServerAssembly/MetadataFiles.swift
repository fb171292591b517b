internal import Core
internal import Metadata

/// Where a data directory has its metadata, and how a backup of them gets there without a server.
public enum MetadataFiles {
    static func directory(inDataDirectory dataDirectory: String) -> String { "\(dataDirectory)/metadata" }

    static func database(inDataDirectory dataDirectory: String) -> String {
        "\(directory(inDataDirectory: dataDirectory))/chunkflow.sqlite"
    }

    /// The file whose lock a server holds as long as it has the metadata open.
    static func lock(inDataDirectory dataDirectory: String) -> String {
        SQLiteMetadataStore.lockPath(ofDatabase: database(inDataDirectory: dataDirectory))
    }

    /// Puts a backup in place. Blocks.
    /// - Parameter replacing: whether there may be metadata already; they are renamed then.
    /// - Returns: lines that say what was done.
    /// - Throws: ``StartError``, which says why nothing was changed.
    public static func restore(_ backup: String, toDataDirectory dataDirectory: String, replacing: Bool) throws -> [String] {
        do {
            let database = database(inDataDirectory: dataDirectory)
            let outcome = try MetadataRestore.run(backup: backup, database: database, replacing: replacing, at: SystemTime().now())
            return [
                "restored   \(database)",
                "cluster    \(outcome.cluster)",
                "layout     \(outcome.layoutVersion.map { "\($0)" } ?? "-")",
                "objects    \(outcome.totals.objectCount), \(outcome.totals.byteCount) bytes",
            ] + (outcome.replaced.map { ["kept       \($0)"] } ?? [])
        } catch let error as MetadataError {
            throw StartError(description(error))
        }
    }

    /// In words for the person who starts a server or a command.
    static func description(_ error: MetadataError) -> String {
        switch error {
        case .locked(let path): "\(path) is held by a process: stop the server first"
        case .conflict(let detail): "\(detail); --force renames it and puts the backup in its place"
        case .unknownSchema(let path, let detail): "\(path) cannot be restored: \(detail)"
        case .damaged(let detail): "the backup is damaged: \(detail)"
        case .diskFull: "the disk is full"
        case .failure(let detail): detail
        case .restoreUnfinished(let path):
            "a restore of \(path) was broken off: repeat it (chunkflow metadata restore); what was there before is beside it, renamed"
        case .noSuchBucket, .bucketNotEmpty, .noSuchAccount, .noSuchKey, .noSuchUpload, .preconditionFailed, .protected, .closed: "\(error)"
        }
    }
}
