internal import Metadata

/// Who sends a request.
enum Identity: Hashable {
    case anonymous
    /// The account of the configuration: it owns what has no other owner, and makes accounts.
    case root
    case account(AccountRecord)

    /// As buckets and objects name their owner: nil for the root account.
    var ownerID: String? {
        if case .account(let account) = self { return account.id }
        return nil
    }

    var isAnonymous: Bool { self == .anonymous }

    /// Whether it is the account that something names as its owner.
    func owns(_ owner: String?) -> Bool {
        switch self {
        case .anonymous: false
        case .root: owner == nil || owner == RootAccount.id
        case .account(let account): owner == account.id
        }
    }
}
