internal import HTTPEdge
internal import Metadata

// What accounts and access keys look like in JSON. Every member is always there.

struct AccountOrder: Decodable {
    let id: String?
    let displayName: String?
    let email: String?
    let tenant: String?

    private enum CodingKeys: CodingKey, CaseIterable { case id, displayName, email, tenant }

    init(from decoder: any Decoder) throws {
        let order = try decoder.order(CodingKeys.self)
        id = try order.decodeIfPresent(String.self, forKey: .id)
        displayName = try order.decodeIfPresent(String.self, forKey: .displayName)
        email = try order.decodeIfPresent(String.self, forKey: .email)
        tenant = try order.decodeIfPresent(String.self, forKey: .tenant)
    }
}

struct KeyOrder: Decodable {
    let accessKey: String?
    let secretKey: String?

    private enum CodingKeys: CodingKey, CaseIterable { case accessKey, secretKey }

    init(from decoder: any Decoder) throws {
        let order = try decoder.order(CodingKeys.self)
        accessKey = try order.decodeIfPresent(String.self, forKey: .accessKey)
        secretKey = try order.decodeIfPresent(String.self, forKey: .secretKey)
    }
}

struct EnablingOrder: Decodable {
    let enabled: Bool?

    private enum CodingKeys: CodingKey, CaseIterable { case enabled }

    init(from decoder: any Decoder) throws {
        enabled = try decoder.order(CodingKeys.self).decodeIfPresent(Bool.self, forKey: .enabled)
    }
}

struct AccountsDocument: Encodable { let accounts: [AccountDocument] }

struct AccountDocument: Encodable {
    private let id: String
    private let displayName: String
    private let email: String?
    private let tenant: String?
    private let createdAt: String

    init(_ account: AccountRecord) {
        id = account.id
        displayName = account.displayName
        email = account.email
        tenant = account.tenant
        createdAt = CalendarDate(account.createdAt).internetText
    }

    private enum CodingKeys: CodingKey { case id, displayName, email, tenant, createdAt }

    func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(id, forKey: .id)
        try container.encode(displayName, forKey: .displayName)
        try container.encode(email, forKey: .email)
        try container.encode(tenant, forKey: .tenant)
        try container.encode(createdAt, forKey: .createdAt)
    }
}

struct KeysDocument: Encodable { let keys: [KeyDocument] }

/// Without the secret, which is shown when the key is made and never again.
struct KeyDocument: Encodable {
    private let accessKey: String
    private let account: String
    private let enabled: Bool
    private let createdAt: String

    init(_ key: AccessKeyRecord) {
        accessKey = key.accessKey
        account = key.account
        enabled = key.isEnabled
        createdAt = CalendarDate(key.createdAt).internetText
    }
}

struct NewKeyDocument: Encodable {
    private let accessKey: String
    private let secretKey: String
    private let account: String
    private let enabled: Bool
    private let createdAt: String

    init(_ key: AccessKeyRecord) {
        accessKey = key.accessKey
        secretKey = key.secretKey
        account = key.account
        enabled = key.isEnabled
        createdAt = CalendarDate(key.createdAt).internetText
    }
}
