internal import NIOHTTP1

/// Fields of a request's header that say who may do what.
enum GrantHeaders {
    static let canned = "x-amz-acl"
    static let permissions: [(field: String, permission: Permission)] = [
        ("x-amz-grant-read", .read), ("x-amz-grant-write", .write), ("x-amz-grant-read-acp", .readAccessControl),
        ("x-amz-grant-write-acp", .writeAccessControl), ("x-amz-grant-full-control", .fullControl),
    ]

    static func arePresent(in headers: HTTPHeaders) -> Bool {
        headers.contains(name: canned) || permissions.contains { headers.contains(name: $0.field) }
    }
}

/// An access control list as a client gives it: by a name, or grant by grant to accounts that are still to be looked up.
enum GivenList: Equatable {
    case canned(CannedList)
    case grants([Grant])

    struct Grant: Equatable {
        let grantee: Grantee
        let permission: Permission
    }

    enum Grantee: Equatable {
        case id(String)
        case email(String)
        case group(uri: String)
    }

    /// From the header.
    /// - Returns: nil when it says nothing.
    /// - Throws: ``S3Error`` `InvalidArgument`, `InvalidRequest` when it says it in both ways, `NotImplemented`.
    init?(_ headers: HTTPHeaders) throws(S3Error) {
        var grants: [Grant] = []
        for (field, permission) in GrantHeaders.permissions {
            for value in headers[field] { grants += try Self.grantees(value).map { Grant(grantee: $0, permission: permission) } }
        }
        guard let name = headers.first(name: GrantHeaders.canned) else {
            if grants.isEmpty { return nil }
            self = .grants(grants)
            return
        }
        guard grants.isEmpty else { throw S3Error(.invalidRequest, "Specifying both Canned ACLs and Header Grants is not allowed") }
        guard let canned = CannedList(rawValue: name) else {
            let isKnown = name == "aws-exec-read" || name == "log-delivery-write"
            throw S3Error(isKnown ? .notImplemented : .invalidArgument, "The x-amz-acl \(name) is not \(isKnown ? "implemented" : "known")")
        }
        self = .canned(canned)
    }

    /// `id="…", emailAddress="…", uri="…"`, with or without quotation marks.
    private static func grantees(_ field: String) throws(S3Error) -> [Grantee] {
        var grantees: [Grantee] = []
        for item in field.split(separator: ",") {
            let sides = item.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map { String($0).trimmingBlanks() }
            guard sides.count == 2 else { throw S3Error(.invalidArgument, "A grant must be of the form type=value") }
            let value =
                sides[1].count >= 2 && sides[1].hasPrefix("\"") && sides[1].hasSuffix("\"")
                ? String(sides[1].dropFirst().dropLast()) : sides[1]
            switch sides[0].lowercased() {
            case "id": grantees.append(.id(value))
            case "emailaddress": grantees.append(.email(value))
            case "uri": grantees.append(.group(uri: value))
            default: throw S3Error(.invalidArgument, "A grantee is an id, an emailAddress or a uri")
            }
        }
        return grantees
    }

    /// From a document.
    /// - Throws: ``S3Error`` `MalformedACLError`.
    init(_ element: XMLElement) throws(S3Error) {
        guard element.name == "AccessControlPolicy", let list = element["AccessControlList"] else { throw S3Error(.malformedACL) }
        var grants: [Grant] = []
        for grant in list.all("Grant") {
            guard let grantee = grant["Grantee"], let permission = grant.value("Permission").flatMap(Permission.init) else {
                throw S3Error(.malformedACL)
            }
            // Which of the three stands there says what kind of grantee it is, as well as the attribute xsi:type does.
            if let id = grantee.value("ID") {
                grants.append(Grant(grantee: .id(id), permission: permission))
            } else if let uri = grantee.value("URI") {
                grants.append(Grant(grantee: .group(uri: uri), permission: permission))
            } else if let email = grantee.value("EmailAddress") {
                grants.append(Grant(grantee: .email(email), permission: permission))
            } else {
                throw S3Error(.malformedACL)
            }
        }
        guard grants.count <= AccessControlList.maximumGrants else {
            throw S3Error(.malformedACL, "A list has \(AccessControlList.maximumGrants) grants at most")
        }
        self = .grants(grants)
    }
}
