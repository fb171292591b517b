internal import Core
internal import GRDB

extension SQLiteMetadataStore {
    /// By the lock on the file. A database in memory has none: several stores of the same process may work on it.
    public var isExclusive: Bool { isLocked }

    /// Each statement decides and acts at once, so that it holds under the weakest isolation that a database has.
    public func acquireLease(
        named name: String, for holder: LeaseHolder, replacing seen: LeaseRecord?
    ) async throws -> LeaseRecord {
        try await write(isChange: { _ in false }) { transaction in
            try transaction.run(SQL.insertLease, [name])
            if try transaction.run(SQL.renewLease, [name, holder.data]) == 0 {
                try transaction.run(SQL.takeLease, [holder.data, name, seen?.holder?.data, seen?.epoch, seen?.renewals])
            }
            guard let row = try transaction.row(SQL.lease, [name]) else {
                throw MetadataError.damaged(detail: "a lease that was just written is not there")
            }
            return LeaseRecord(
                holder: row.isNull(0) ? nil : try row.identifier(0), epoch: try row.integer(1), renewals: try row.integer(2))
        }
    }

    public func releaseLease(named name: String, by holder: LeaseHolder) async throws {
        try await write(isChange: { _ in false }) { transaction in _ = try transaction.run(SQL.releaseLease, [name, holder.data]) }
    }
}
