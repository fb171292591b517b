internal import FoundationEssentials

/// What a grant gives.
enum Permission: String, Codable, CaseIterable {
    case read = "READ"
    case write = "WRITE"
    case readAccessControl = "READ_ACP"
    case writeAccessControl = "WRITE_ACP"
    case fullControl = "FULL_CONTROL"

    fileprivate var rank: Int { Self.allCases.firstIndex(of: self) ?? 0 }
}

/// To whom a grant gives.
enum Grantee: Codable, Hashable {
    /// An account's id.
    case account(String)
    case everyone
    case authenticated

    private static let groupPrefix = "http://acs.amazonaws.com/groups/global/"

    /// As S3 names a group; nil for an account.
    var uri: String? {
        switch self {
        case .account: nil
        case .everyone: Self.groupPrefix + "AllUsers"
        case .authenticated: Self.groupPrefix + "AuthenticatedUsers"
        }
    }

    /// The group of that name.
    init?(uri: String) {
        guard let group = [Self.everyone, .authenticated].first(where: { $0.uri == uri }) else { return nil }
        self = group
    }

    private static let accountPrefix = "account:"

    init(from decoder: any Decoder) throws {
        let text = try decoder.singleValueContainer().decode(String.self)
        switch text {
        case "everyone": self = .everyone
        case "authenticated": self = .authenticated
        default:
            guard text.hasPrefix(Self.accountPrefix) else {
                throw DecodingError.dataCorrupted(.init(codingPath: decoder.codingPath, debugDescription: "no grantee"))
            }
            self = .account(String(text.dropFirst(Self.accountPrefix.count)))
        }
    }

    func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        switch self {
        case .everyone: try container.encode("everyone")
        case .authenticated: try container.encode("authenticated")
        case .account(let id): try container.encode(Self.accountPrefix + id)
        }
    }

    /// Whether it is anybody at all, or anybody with an account.
    var isPublic: Bool { uri != nil }

    func includes(_ identity: Identity) -> Bool {
        switch self {
        case .everyone: true
        case .authenticated: !identity.isAnonymous
        case .account(let id): identity.owns(id)
        }
    }
}

/// Who may do what with a bucket or an object, beside what its owner may.
struct AccessControlList: Codable, Hashable {
    struct Grant: Codable, Hashable {
        let grantee: Grantee
        let permission: Permission
    }

    /// Grants of one list, as in S3.
    static let maximumGrants = 100

    /// Groups first; of each grantee in the order of ``Permission``. Accounts are in the order in which they were given.
    let grants: [Grant]

    init(_ given: [Grant]) {
        var seen: [Grantee] = [.everyone, .authenticated]
        for grant in given where !seen.contains(grant.grantee) { seen.append(grant.grantee) }
        let distinct = Set(given)
        grants = seen.flatMap { grantee in
            distinct.filter { $0.grantee == grantee }.sorted { $0.permission.rank < $1.permission.rank }
        }
    }

    /// Its owner may do everything, nobody else anything.
    static func owned(by owner: String) -> AccessControlList {
        AccessControlList([Grant(grantee: .account(owner), permission: .fullControl)])
    }

    var isPublic: Bool { grants.contains { $0.grantee.isPublic } }

    /// - Parameter ignoringPublic: whether grants to groups count for nothing.
    func allows(_ permission: Permission, to identity: Identity, ignoringPublic: Bool) -> Bool {
        grants.contains { grant in
            (grant.permission == permission || grant.permission == .fullControl) && !(ignoringPublic && grant.grantee.isPublic)
                && grant.grantee.includes(identity)
        }
    }

    // MARK: As it is kept

    /// - Parameter owner: of what it belongs to.
    /// - Returns: nil when it says nothing beyond what a list that is not there says.
    func text(owner: String) throws -> String? {
        guard self != .owned(by: owner) else { return nil }
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        return String(decoding: try encoder.encode(self), as: UTF8.self)
    }

    /// A list that cannot be read gives nothing to anybody.
    init(text: String?, owner: String) {
        guard let text else {
            self = .owned(by: owner)
            return
        }
        self = (try? JSONDecoder().decode(AccessControlList.self, from: Data(text.utf8))) ?? AccessControlList([])
    }
}

/// Lists that have a name.
enum CannedList: String {
    case `private`
    case publicRead = "public-read"
    case publicReadWrite = "public-read-write"
    case authenticatedRead = "authenticated-read"
    case bucketOwnerRead = "bucket-owner-read"
    case bucketOwnerFullControl = "bucket-owner-full-control"

    /// - Parameters:
    ///   - owner: of what the list is for.
    ///   - bucketOwner: of the bucket that it is in; the same for a bucket, where the last two are as `private`.
    func list(owner: String, bucketOwner: String) -> AccessControlList {
        var grants = [AccessControlList.Grant(grantee: .account(owner), permission: .fullControl)]
        switch self {
        case .private: break
        case .publicRead: grants.append(.init(grantee: .everyone, permission: .read))
        case .publicReadWrite:
            grants.append(.init(grantee: .everyone, permission: .read))
            grants.append(.init(grantee: .everyone, permission: .write))
        case .authenticatedRead: grants.append(.init(grantee: .authenticated, permission: .read))
        case .bucketOwnerRead where bucketOwner != owner: grants.append(.init(grantee: .account(bucketOwner), permission: .read))
        case .bucketOwnerFullControl where bucketOwner != owner:
            grants.append(.init(grantee: .account(bucketOwner), permission: .fullControl))
        case .bucketOwnerRead, .bucketOwnerFullControl: break
        }
        return AccessControlList(grants)
    }
}
