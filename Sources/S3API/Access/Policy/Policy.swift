internal import Metadata

/// A policy of a bucket: who may do what, and under which conditions.
struct Policy: Sendable {
    /// Bytes of the text.
    static let maximumBytes = 20 * 1_024

    let statements: [PolicyStatement]
    /// Whether it lets in whom it does not know.
    let isPublic: Bool

    /// - Parameter bucket: the name of the bucket that it is for.
    /// - Throws: ``S3Error`` `MalformedPolicy`.
    init(_ text: String, bucket: String) throws(S3Error) {
        guard text.utf8.count <= Self.maximumBytes else {
            throw Self.malformed("Policies must not be larger than \(Self.maximumBytes) bytes")
        }
        guard case .object(let policy)? = JSONValue.parse(text) else { throw Self.malformed("Policies must be valid JSON") }
        if let name = policy.keys.first(where: { !["Version", "Id", "Statement"].contains($0) }) {
            throw Self.malformed("Unknown field \(name)")
        }
        switch policy["Version"] {
        case nil, .text("2012-10-17")?, .text("2008-10-17")?: break
        default: throw Self.malformed("The policy must contain a valid version string")
        }
        let given: [JSONValue]
        switch policy["Statement"] {
        case .list(let list)? where !list.isEmpty: given = list
        case .object(let one)?: given = [.object(one)]
        default: throw Self.malformed("Missing required field Statement")
        }
        var statements: [PolicyStatement] = []
        for statement in given {
            guard case .object(let members) = statement else { throw Self.malformed("A statement must be an object") }
            statements.append(try PolicyStatement(members, bucket: bucket))
        }
        self.statements = statements
        isPublic = statements.contains(where: \.isPublic)
    }

    static func malformed(_ detail: String) -> S3Error { S3Error(.malformedPolicy, detail) }

    enum Effect: Hashable, Sendable { case allow, deny }

    /// What it says: a refusal comes before a permission; nil when it says nothing.
    /// - Parameter resource: the ARN of a bucket or an object.
    func effect(on action: S3Action, of resource: String, in context: PolicyContext) -> Effect? {
        let scalars = Array(resource.unicodeScalars)
        var found: Effect?
        for statement in statements where statement.applies(to: action, of: scalars, in: context) {
            if statement.effect == .deny { return .deny }
            found = .allow
        }
        return found
    }

    /// Whether it could allow anything of the kind to whoever asks, whatever the key.
    func mayAllow(_ actions: [S3Action], to identity: Identity) -> Bool {
        statements.contains { statement in
            statement.effect == .allow && statement.includes(identity) && actions.contains(where: statement.actions.contains)
        }
    }
}

struct PolicyStatement: Sendable {
    let effect: Policy.Effect
    /// Worked out from the names and wildcards of the text.
    let actions: Set<S3Action>
    private let principals: [Principal]
    private let isAboutOthers: Bool
    private let resources: [Wildcard]
    private let isAboutOtherResources: Bool
    private let conditions: [PolicyCondition]

    private static let members: Set<String> = [
        "Sid", "Effect", "Principal", "NotPrincipal", "Action", "NotAction", "Resource", "NotResource", "Condition",
    ]
    static let resourcePrefix = "arn:aws:s3:::"

    init(_ members: [String: JSONValue], bucket: String) throws(S3Error) {
        if let name = members.keys.first(where: { !Self.members.contains($0) }) { throw Policy.malformed("Unknown field \(name)") }
        switch members["Effect"] {
        case .text("Allow"): effect = .allow
        case .text("Deny"): effect = .deny
        default: throw Policy.malformed("Invalid effect")
        }
        let (principal, isOther) = try Self.one("Principal", of: members)
        guard !isOther || effect == .deny else { throw Policy.malformed("Allow with NotPrincipal is not allowed") }
        principals = try Principal.parse(principal)
        isAboutOthers = isOther
        let (action, isNotAction) = try Self.one("Action", of: members)
        actions = try Self.actions(action, isNegated: isNotAction)
        let (resource, isNotResource) = try Self.one("Resource", of: members)
        resources = try Self.resources(resource, bucket: isNotResource ? nil : bucket)
        isAboutOtherResources = isNotResource
        conditions = try Self.conditions(members["Condition"])
    }

    /// An element that may also be said of everything else.
    private static func one(_ name: String, of members: [String: JSONValue]) throws(S3Error) -> (JSONValue, isNegated: Bool) {
        switch (members[name], members["Not\(name)"]) {
        case (let value?, nil): return (value, false)
        case (nil, let value?): return (value, true)
        case (nil, nil): throw Policy.malformed("Missing required field \(name)")
        case (_?, _?): throw Policy.malformed("Both \(name) and Not\(name)")
        }
    }

    private static func actions(_ value: JSONValue, isNegated: Bool) throws(S3Error) -> Set<S3Action> {
        guard let names = value.texts, !names.isEmpty else { throw Policy.malformed("Policy has invalid action") }
        for name in names where name != "*" && !name.lowercased().hasPrefix("s3:") { throw Policy.malformed("Policy has invalid action") }
        let patterns = names.map { Wildcard($0.lowercased()) }
        return Set(
            S3Action.allCases.filter { action in
                patterns.contains { $0.matches(action.rawValue.lowercased()) } != isNegated
            })
    }

    /// - Parameter bucket: which they must be about; nil when they need not.
    private static func resources(_ value: JSONValue, bucket: String?) throws(S3Error) -> [Wildcard] {
        guard let names = value.texts, !names.isEmpty else { throw Policy.malformed("Policy has invalid resource") }
        for name in names {
            guard !name.contains("${") else { throw Policy.malformed("Policy variables are not supported") }
            if name == "*" { continue }
            guard name.hasPrefix(resourcePrefix) else { throw Policy.malformed("Policy has invalid resource") }
            let named = name.dropFirst(resourcePrefix.count).prefix { $0 != "/" }
            guard let bucket else { continue }
            guard Wildcard(String(named)).matches(bucket) else { throw Policy.malformed("Policy has invalid resource") }
        }
        return names.map(Wildcard.init)
    }

    private static func conditions(_ value: JSONValue?) throws(S3Error) -> [PolicyCondition] {
        guard let value else { return [] }
        guard case .object(let operators) = value else { throw Policy.malformed("Invalid Condition") }
        var conditions: [PolicyCondition] = []
        for (name, keys) in operators {
            guard case .object(let keys) = keys else { throw Policy.malformed("Invalid Condition") }
            for (key, values) in keys {
                guard let values = values.scalars, !values.contains(where: { $0.contains("${") }),
                    let condition = PolicyCondition(operator: name, key: key, values: values)
                else { throw Policy.malformed("Policy has an invalid condition: \(name) of \(key)") }
                conditions.append(condition)
            }
        }
        return conditions
    }

    // MARK: Deciding

    func includes(_ identity: Identity) -> Bool { principals.contains { $0.includes(identity) } != isAboutOthers }

    func applies(to action: S3Action, of resource: [Unicode.Scalar], in context: PolicyContext) -> Bool {
        guard actions.contains(action), includes(context.identity) else { return false }
        guard resources.contains(where: { $0.matches(resource) }) != isAboutOtherResources else { return false }
        // What the request has not said yet must not keep anybody from saying it: it is asked for again when it has.
        return conditions.allSatisfy { $0.holds(in: context) ?? (effect == .allow) }
    }

    var isPublic: Bool { effect == .allow && principals.contains(.everyone) && !conditions.contains(where: \.namesSomebody) }
}

/// Whom a statement is about.
enum Principal: Hashable, Sendable {
    case everyone
    /// The account of that id.
    case account(String)
    /// `arn:aws:iam::TENANT:user/ID`, as other servers name the account of that id; a tenant may be empty.
    case user(tenant: String, id: String)
    /// Somebody whom this server does not have: a service of AWS, a federated user, a role.
    case nobody

    static func parse(_ value: JSONValue) throws(S3Error) -> [Principal] {
        if value == .text("*") { return [.everyone] }
        guard case .object(let kinds) = value, !kinds.isEmpty else { throw Policy.malformed("Invalid principal in policy") }
        var principals: [Principal] = []
        for (kind, names) in kinds {
            guard let names = names.texts, !names.isEmpty else { throw Policy.malformed("Invalid principal in policy") }
            switch kind {
            case "AWS": for name in names { principals.append(try Principal(name)) }
            case "CanonicalUser": principals += names.map(Principal.account)
            case "Service", "Federated": principals.append(.nobody)
            default: throw Policy.malformed("Invalid principal in policy")
            }
        }
        return principals
    }

    private init(_ name: String) throws(S3Error) {
        guard name != "*" else {
            self = .everyone
            return
        }
        guard !name.isEmpty, !name.contains("*"), !name.contains("?") else { throw Policy.malformed("Invalid principal in policy") }
        guard name.hasPrefix("arn:") else {
            self = .account(name)
            return
        }
        let parts = name.split(separator: ":", maxSplits: 5, omittingEmptySubsequences: false).map(String.init)
        guard parts.count == 6, !parts[5].isEmpty else { throw Policy.malformed("Invalid principal in policy") }
        guard parts[2] == "iam" else {
            self = .nobody
            return
        }
        if parts[5] == "root" {
            self = .account(parts[4])
        } else if parts[5].hasPrefix("user/") {
            self = .user(tenant: parts[4], id: String(parts[5].dropFirst("user/".count)))
        } else {
            self = .nobody
        }
    }

    func includes(_ identity: Identity) -> Bool {
        switch self {
        case .everyone: return true
        case .account(let id): return identity.owns(id)
        case .user(let tenant, let id):
            guard case .account(let account) = identity else { return false }
            return account.id == id && (account.tenant ?? "") == tenant
        case .nobody: return false
        }
    }
}
