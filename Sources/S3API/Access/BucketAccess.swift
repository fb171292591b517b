internal import Metadata

/// The rules of one bucket: the one place that decides who may do what to it and to what is in it.
struct BucketAccess {
    let name: String
    /// An account's id.
    let owner: String
    let ownership: ObjectOwnership
    let block: PublicAccessBlock
    private let listText: String?
    let policy: BucketPolicy?

    /// - Parameter policy: the bucket's, taken apart; nil when it has none.
    init(_ description: BucketDescription, policy: BucketPolicy?) {
        name = description.bucket.name
        owner = description.bucket.owner ?? RootAccount.id
        ownership = description.documents[.ownership].flatMap(ObjectOwnership.init) ?? .objectWriter
        block = PublicAccessBlock(text: description.documents[.publicAccessBlock])
        listText = description.documents[.accessControl]
        self.policy = policy
    }

    /// What is acted upon.
    enum Subject {
        case bucket
        /// A key, whatever it holds.
        case key(String)
        case object(ObjectRecord)
        /// An upload of parts.
        case upload(UploadRecord)

        var key: String? {
            switch self {
            case .bucket: nil
            case .key(let key): key
            case .object(let object): object.key
            case .upload(let upload): upload.key
            }
        }
    }

    /// Whether `context.identity` may do it.
    ///
    /// The root account may do everything. Of all others: what the policy refuses is refused; what it allows is allowed; then come the
    /// rights of owners, then access control lists.
    func allows(_ action: S3Action, on subject: Subject, in context: PolicyContext) -> Bool {
        let identity = context.identity
        if identity == .root { return true }
        let isOwner = identity.owns(owner)
        if isOwner, action.isAboutPolicy, policy?.excludesOwner != true { return true }
        switch effect(on: action, of: subject, in: context) {
        case .deny: return false
        case .allow where isOwner || !isRestricted: return true
        case .allow, nil: return isOwnersRight(action, on: subject, identity) || isGranted(action, on: subject, to: identity)
        }
    }

    /// Whether the policy refuses it, to anybody but those whom it cannot refuse.
    func refuses(_ action: S3Action, on subject: Subject, in context: PolicyContext) -> Bool {
        context.identity != .root && effect(on: action, of: subject, in: context) == .deny
    }

    /// Whether there may be keys for which one of the actions is allowed: asked before a body is read that names them.
    func mayAllow(anyOf actions: [S3Action], to identity: Identity) -> Bool {
        if identity == .root || identity.owns(owner) { return true }
        if !isRestricted, policy?.policy.mayAllow(actions, to: identity) == true { return true }
        return actions.contains { $0.grant?.list == .bucket && isGranted($0, on: .bucket, to: identity) }
    }

    // MARK: The policy

    private func effect(on action: S3Action, of subject: Subject, in context: PolicyContext) -> Policy.Effect? {
        guard let policy else { return nil }
        let bucket = PolicyStatement.resourcePrefix + name
        return policy.policy.effect(on: action, of: subject.key.map { "\(bucket)/\($0)" } ?? bucket, in: context)
    }

    /// Whether the policy, because it is public, lets in the owner alone.
    private var isRestricted: Bool { block.on.contains(.restrictPublicBuckets) && policy?.policy.isPublic == true }

    // MARK: Owners

    /// Who owns a version. With lists turned off, the bucket's owner owns what others wrote before.
    func owner(of object: ObjectRecord) -> String {
        ownership == .bucketOwnerEnforced ? owner : object.attributes.owner ?? RootAccount.id
    }

    private func isOwnersRight(_ action: S3Action, on subject: Subject, _ identity: Identity) -> Bool {
        switch subject {
        case .object(let object) where action.belongsToObjectOwner:
            let objectOwner = owner(of: object)
            guard identity.owns(objectOwner) else { return false }
            return objectOwner == owner || action.isAboutObjectAccessControl
        case .upload(let upload) where action.isAboutUpload:
            return identity.owns(owner) || identity.owns(upload.attributes.initiator ?? upload.attributes.owner)
        default: return identity.owns(owner)
        }
    }

    // MARK: Access control lists

    /// The bucket's. Read anew each time: most requests are decided before it is looked at.
    var list: AccessControlList { AccessControlList(text: listText, owner: owner) }

    func list(of object: ObjectRecord) -> AccessControlList {
        let owner = owner(of: object)
        return AccessControlList(text: ownership == .bucketOwnerEnforced ? nil : object.attributes.accessControl, owner: owner)
    }

    private func isGranted(_ action: S3Action, on subject: Subject, to identity: Identity) -> Bool {
        guard ownership != .bucketOwnerEnforced, let grant = action.grant else { return false }
        let ignoringPublic = block.on.contains(.ignorePublicAcls)
        switch (grant.list, subject) {
        case (.bucket, _): return list.allows(grant.permission, to: identity, ignoringPublic: ignoringPublic)
        case (.object, .object(let object)):
            return list(of: object).allows(grant.permission, to: identity, ignoringPublic: ignoringPublic)
        case (.object, _): return false
        }
    }
}

/// A policy with what was said when it was put.
struct BucketPolicy: Sendable {
    let policy: Policy
    /// Whether the owner of the bucket gave up the right to see, change and remove it.
    let excludesOwner: Bool

    private static let exclusion = "excludes-owner\n"

    /// As it is kept: the client's text, with a mark before it that no JSON begins with.
    static func kept(_ text: String, excludesOwner: Bool) -> String { (excludesOwner ? exclusion : "") + text }

    /// The client's text, and whether it is marked.
    static func given(_ kept: String) -> (text: String, excludesOwner: Bool) {
        kept.hasPrefix(exclusion) ? (String(kept.dropFirst(exclusion.count)), true) : (kept, false)
    }
}
