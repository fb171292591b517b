import Core
import Metadata
import Synchronization

/// Accounts and keys in memory.
final class MemoryAccounts: AccountStore {
    private struct State {
        var accounts: [String: AccountRecord] = [:]
        var keys: [String: AccessKeyRecord] = [:]
        var failure: MetadataError?
    }

    private let state = Mutex(State())

    /// Has everything fail.
    func fail(with error: MetadataError) { state.withLock { $0.failure = error } }

    private func asking<Value>(_ body: (inout State) throws -> Value) throws -> Value {
        try state.withLock { state in
            if let failure = state.failure { throw failure }
            return try body(&state)
        }
    }

    func createAccount(_ account: AccountRecord) async throws {
        try asking { state in
            guard state.accounts[account.id] == nil else { throw MetadataError.conflict(detail: "an account of that id exists already") }
            guard account.email == nil || !state.accounts.values.contains(where: { $0.email == account.email }) else {
                throw MetadataError.conflict(detail: "an account with that e-mail address exists already")
            }
            state.accounts[account.id] = account
        }
    }

    func account(_ id: String) async throws -> AccountRecord? { try asking { $0.accounts[id] } }

    func account(email: String) async throws -> AccountRecord? { try asking { $0.accounts.values.first { $0.email == email } } }

    func accounts() async throws -> [AccountRecord] { try asking { $0.accounts.values.sorted { $0.id < $1.id } } }

    func createAccessKey(_ key: AccessKeyRecord) async throws {
        try asking { state in
            guard state.accounts[key.account] != nil else { throw MetadataError.noSuchAccount(key.account) }
            guard state.keys[key.accessKey] == nil else {
                throw MetadataError.conflict(detail: "an access key of that name exists already")
            }
            state.keys[key.accessKey] = key
        }
    }

    func accessKey(_ accessKey: String) async throws -> (key: AccessKeyRecord, account: AccountRecord)? {
        try asking { state in
            guard let key = state.keys[accessKey], let account = state.accounts[key.account] else { return nil }
            return (key, account)
        }
    }

    func accessKeys(of account: String?) async throws -> [AccessKeyRecord] {
        try asking { state in
            state.keys.values.filter { account == nil || $0.account == account }.sorted { $0.accessKey < $1.accessKey }
        }
    }

    func setAccessKey(_ accessKey: String, enabled: Bool) async throws -> Bool {
        try asking { state in
            guard state.keys[accessKey] != nil else { return false }
            state.keys[accessKey]?.isEnabled = enabled
            return true
        }
    }

    func deleteAccessKey(_ accessKey: String) async throws -> Bool { try asking { $0.keys.removeValue(forKey: accessKey) != nil } }
}
