public import Core

/// Who owns buckets and access keys.
public struct AccountRecord: Hashable, Sendable {
    /// The canonical user id of S3: whatever the operator chose.
    public let id: String
    public let displayName: String
    /// nil for an account without; no two have the same.
    public let email: String?
    public let tenant: String?
    public let createdAt: Timestamp

    public init(id: String, displayName: String, email: String?, tenant: String?, createdAt: Timestamp) {
        self.id = id
        self.displayName = displayName
        self.email = email
        self.tenant = tenant
        self.createdAt = createdAt
    }
}

/// A pair of names by which requests are signed. The secret is needed in full to check a signature, so it is kept in full:
/// whoever can read the database can sign.
public struct AccessKeyRecord: Hashable, Sendable {
    public let accessKey: String
    public let secretKey: String
    public let account: String
    public var isEnabled: Bool
    public let createdAt: Timestamp

    public init(accessKey: String, secretKey: String, account: String, isEnabled: Bool = true, createdAt: Timestamp) {
        self.accessKey = accessKey
        self.secretKey = secretKey
        self.account = account
        self.isEnabled = isEnabled
        self.createdAt = createdAt
    }
}

/// Accounts and their keys. Every method is atomic, and durable when it returns.
public protocol AccountStore: Sendable {
    /// - Throws: ``MetadataError/conflict(detail:)`` when the id or the e-mail address is taken.
    func createAccount(_ account: AccountRecord) async throws
    func account(_ id: String) async throws -> AccountRecord?
    func account(email: String) async throws -> AccountRecord?
    /// In the order of their ids.
    func accounts() async throws -> [AccountRecord]

    /// - Throws: ``MetadataError/conflict(detail:)`` when the access key is taken; ``MetadataError/noSuchAccount(_:)``.
    func createAccessKey(_ key: AccessKeyRecord) async throws
    /// The key and its account, in one read: asked for with every request.
    func accessKey(_ accessKey: String) async throws -> (key: AccessKeyRecord, account: AccountRecord)?
    /// In the order of their names; of all accounts without `account`.
    func accessKeys(of account: String?) async throws -> [AccessKeyRecord]
    /// - Returns: false when there is no such key.
    func setAccessKey(_ accessKey: String, enabled: Bool) async throws -> Bool
    /// - Returns: false when there was no such key.
    func deleteAccessKey(_ accessKey: String) async throws -> Bool
}
