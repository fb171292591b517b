public import Core
internal import Foundation
internal import GRDB

extension SQLiteMetadataStore {
    /// The name of the setting that says when the database was restored, as milliseconds.
    static let restoredSetting = "restored"

    public func backup(to path: String, replacing: Bool) async throws {
        try checkOpen()
        try await backups.acquire()
        defer { backups.release() }
        do {
            try await executor.run {
                try Snapshot.write(to: path, replacing: replacing) { target in
                    try self.batches.withoutLogLimit { try self.writer.backup(to: target) }
                }
            }
        } catch {
            throw readError(error)
        }
    }

    public func restoredAt() async throws -> Timestamp? {
        try await read { database in
            guard let row = try Row.fetchOne(database.cachedStatement(sql: SQL.setting), arguments: [Self.restoredSetting]) else {
                return nil
            }
            guard let text = String(validating: try row.bytes(0), as: UTF8.self), let milliseconds = Int64(text) else {
                throw MetadataError.damaged(detail: "the time of the restore is no number")
            }
            return Timestamp(millisecondsSince1970: milliseconds)
        }
    }
}
