/// What a condition of a policy looks at. Those that this server could not answer are refused with the policy: a condition that is
/// never looked at would be a wrong promise.
enum ConditionKey: Hashable, Sendable {
    case sourceAddress
    case secureTransport
    case currentTime
    case epochTime
    case principalAccount
    case principalARN
    case principalType
    case resourceAccount
    /// A field of the request's header, by its lower-case name.
    case field(String)
    /// The source of a copy, `BUCKET/KEY`.
    case copySource
    /// A parameter of the query.
    case parameter(String)
    /// The name of what is listed. A key that is not there counts as listed by its name.
    case prefix
    case authenticationType
    case signatureVersion
    /// The value of a tag that the object has.
    case existingTag(String)
    /// The value of a tag that the object shall have.
    case requestTag(String)
    /// The names of those.
    case requestTagKeys
    /// Of AWS's own services and networks: no request has it.
    case absent
    /// As ``absent``, of those that say so.
    case negative

    /// - Returns: nil for one that is not known.
    init?(_ name: String) {
        let lower = name.lowercased()
        if let slash = name.firstIndex(of: "/") {
            let tag = String(name[name.index(after: slash)...])
            switch lower.prefix(while: { $0 != "/" }) {
            case "s3:existingobjecttag": self = .existingTag(tag)
            case "s3:requestobjecttag": self = .requestTag(tag)
            default: return nil
            }
            return
        }
        guard let key = Self.plain[lower] ?? Self.fromHeader(lower) else { return nil }
        self = key
    }

    private static let plain: [String: ConditionKey] = [
        "aws:sourceip": .sourceAddress, "aws:securetransport": .secureTransport, "aws:currenttime": .currentTime,
        "aws:epochtime": .epochTime, "aws:principalaccount": .principalAccount, "aws:principalarn": .principalARN,
        "aws:principaltype": .principalType, "aws:userid": .principalAccount, "aws:resourceaccount": .resourceAccount,
        "s3:resourceaccount": .resourceAccount, "aws:referer": .field("referer"), "aws:useragent": .field("user-agent"),
        "s3:prefix": .prefix, "s3:delimiter": .parameter("delimiter"), "s3:max-keys": .parameter("max-keys"),
        "s3:versionid": .parameter("versionId"), "s3:authtype": .authenticationType, "s3:signatureversion": .signatureVersion,
        "s3:if-match": .field("if-match"), "s3:if-none-match": .field("if-none-match"), "s3:requestobjecttagkeys": .requestTagKeys,
        "s3:x-amz-copy-source": .copySource, "aws:sourcevpc": .absent, "aws:sourcevpce": .absent, "aws:vpcsourceip": .absent,
        "aws:sourcearn": .absent, "aws:sourceaccount": .absent, "aws:sourceowner": .absent, "aws:sourceorgid": .absent,
        "aws:principalorgid": .absent, "aws:principalorgpaths": .absent, "aws:multifactorauthpresent": .absent,
        "aws:multifactorauthage": .absent, "aws:calledvia": .absent, "s3:dataaccesspointarn": .absent,
        "s3:dataaccesspointaccount": .absent, "aws:principalisawsservice": .negative, "aws:viaawsservice": .negative,
    ]

    /// `s3:x-amz-…` are fields of the header, but for those that say something of the body.
    private static func fromHeader(_ name: String) -> ConditionKey? {
        guard name.hasPrefix("s3:x-amz-"), name.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7f }) else { return nil }
        return .field(String(name.dropFirst(3)))
    }

    /// Whether a fixed value of it names somebody, so that a grant to everybody with that condition is not a public one
    /// ("The meaning of public").
    var namesSomebody: Bool {
        switch self {
        case .principalAccount, .principalARN, .absent, .field("x-amz-server-side-encryption-aws-kms-key-id"): true
        default: false
        }
    }
}
