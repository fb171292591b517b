internal import Core
internal import Foundation
internal import GRDB

extension SQLiteMetadataStore {
    public func createAccount(_ account: AccountRecord) async throws {
        try await write { transaction in
            let id = Data(account.id.utf8)
            guard try transaction.row(SQL.account, [id]) == nil else {
                throw MetadataError.conflict(detail: "an account \(account.id) exists already")
            }
            let email = account.email.map { Data($0.utf8) }
            if let email, try transaction.row(SQL.accountByEmail, [email]) != nil {
                throw MetadataError.conflict(detail: "an account with that e-mail address exists already")
            }
            try transaction.run(
                SQL.insertAccount,
                [
                    id, Data(account.displayName.utf8), email, account.tenant.map { Data($0.utf8) },
                    account.createdAt.millisecondsSince1970,
                ])
        }
    }

    public func account(_ id: String) async throws -> AccountRecord? {
        try await read { database in
            try Row.fetchOne(database.cachedStatement(sql: SQL.account), arguments: [Data(id.utf8)])?.account(0)
        }
    }

    public func account(email: String) async throws -> AccountRecord? {
        try await read { database in
            try Row.fetchOne(database.cachedStatement(sql: SQL.accountByEmail), arguments: [Data(email.utf8)])?.account(0)
        }
    }

    public func accounts() async throws -> [AccountRecord] {
        try await read { database in
            try Row.fetchAll(database.cachedStatement(sql: SQL.accounts)).map { try $0.account(0) }
        }
    }

    public func createAccessKey(_ key: AccessKeyRecord) async throws {
        try await write { transaction in
            let account = Data(key.account.utf8)
            guard try transaction.row(SQL.account, [account]) != nil else { throw MetadataError.noSuchAccount(key.account) }
            let name = Data(key.accessKey.utf8)
            guard try transaction.row(SQL.accessKey, [name]) == nil else {
                throw MetadataError.conflict(detail: "an access key of that name exists already")
            }
            try transaction.run(
                SQL.insertAccessKey, [name, Data(key.secretKey.utf8), account, key.isEnabled, key.createdAt.millisecondsSince1970])
        }
    }

    public func accessKey(_ accessKey: String) async throws -> (key: AccessKeyRecord, account: AccountRecord)? {
        try await read { database in
            let row = try Row.fetchOne(
                database.cachedStatement(sql: SQL.accessKeyWithAccount), arguments: [Data(accessKey.utf8)])
            return try row.map { (key: try $0.accessKey(), account: try $0.account(5)) }
        }
    }

    public func accessKeys(of account: String?) async throws -> [AccessKeyRecord] {
        try await read { database in
            let rows =
                if let account {
                    try Row.fetchAll(database.cachedStatement(sql: SQL.accessKeysOfAccount), arguments: [Data(account.utf8)])
                } else {
                    try Row.fetchAll(database.cachedStatement(sql: SQL.accessKeys))
                }
            return try rows.map { try $0.accessKey() }
        }
    }

    public func setAccessKey(_ accessKey: String, enabled: Bool) async throws -> Bool {
        try await write { try $0.run(SQL.setAccessKey, [enabled, Data(accessKey.utf8)]) > 0 }
    }

    public func deleteAccessKey(_ accessKey: String) async throws -> Bool {
        try await write { try $0.run(SQL.deleteAccessKey, [Data(accessKey.utf8)]) > 0 }
    }
}

extension Row {
    /// Five columns, beginning at `column`.
    fileprivate func account(_ column: Int) throws -> AccountRecord {
        AccountRecord(
            id: try name(column), displayName: try name(column + 1), email: try optionalName(column + 2),
            tenant: try optionalName(column + 3), createdAt: try timestamp(column + 4))
    }

    /// The first five columns.
    fileprivate func accessKey() throws -> AccessKeyRecord {
        AccessKeyRecord(
            accessKey: try name(0), secretKey: try name(1), account: try name(2), isEnabled: try flag(3), createdAt: try timestamp(4))
    }
}
