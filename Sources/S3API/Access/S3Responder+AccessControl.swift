internal import Core
internal import HTTPEdge
internal import Metadata
internal import NIOCore
internal import NIOHTTP1
internal import ObjectStore

/// Access control lists of buckets and objects.
extension S3Responder {
    // MARK: Of what is made

    /// Says of an object that a call makes whom it belongs to, and who else may do what with it.
    /// - Throws: ``S3Error`` `AccessControlListNotSupported`, `AccessDenied` where lists that open something are blocked, and what is wrong
    ///   with the list.
    func setAccess(of attributes: inout ObjectAttributes, _ call: S3Call) async throws {
        guard let rules = call.access.rules else { throw S3Error(.accessDenied) }
        let given = try GivenList(call.headers)
        // What nobody signed for belongs to the owner of the bucket: else nobody could ever be asked about it.
        let writer = call.identity.isAnonymous ? rules.owner : ownerID(call.identity.ownerID)
        var owner = writer
        switch rules.ownership {
        case .bucketOwnerEnforced:
            try Self.checkUnnecessary(given)
            owner = rules.owner
        case .bucketOwnerPreferred where given == .canned(.bucketOwnerFullControl): owner = rules.owner
        case .bucketOwnerPreferred, .objectWriter:
            if let given {
                let list = try await list(given, owner: owner, bucketOwner: rules.owner)
                try Self.check(list, rules)
                attributes.accessControl = try list.text(owner: owner)
            }
        }
        attributes.owner = owner == RootAccount.id ? nil : owner
        if call.operation == .createMultipartUpload, owner != writer { attributes.initiator = writer }
    }

    /// The documents of a bucket that is made that say who may do what with it.
    func accessDocuments(_ call: S3Call) async throws -> [BucketDocument: String] {
        var documents: [BucketDocument: String] = [:]
        let owner = ownerID(call.identity.ownerID)
        let ownership = try call.headers.first(name: "x-amz-object-ownership").map { field throws(S3Error) in
            try ObjectOwnership(field: field)
        }
        documents[.ownership] = ownership?.rawValue
        if let given = try GivenList(call.headers) {
            let list = try await list(given, owner: owner, bucketOwner: owner)
            guard ownership != .bucketOwnerEnforced || list == .owned(by: owner) else {
                throw S3Error(.invalidBucketAclWithObjectOwnership)
            }
            documents[.accessControl] = try list.text(owner: owner)
        }
        return documents
    }

    /// Where there are no lists, the one that changes nothing may be given.
    private static func checkUnnecessary(_ given: GivenList?) throws(S3Error) {
        guard given == nil || given == .canned(.bucketOwnerFullControl) else { throw S3Error(.accessControlListNotSupported) }
    }

    private static func check(_ list: AccessControlList, _ rules: BucketAccess) throws(S3Error) {
        guard !list.isPublic || !rules.block.on.contains(.blockPublicAcls) else {
            throw S3Error(.accessDenied, "The bucket blocks public access by access control lists")
        }
    }

    /// Looks up who is meant.
    /// - Throws: ``S3Error`` `InvalidArgument`, `UnresolvableGrantByEmailAddress`.
    private func list(_ given: GivenList, owner: String, bucketOwner: String) async throws -> AccessControlList {
        let grants: [GivenList.Grant]
        switch given {
        case .canned(let canned): return canned.list(owner: owner, bucketOwner: bucketOwner)
        case .grants(let given): grants = given
        }
        guard grants.count <= AccessControlList.maximumGrants else {
            throw S3Error(.invalidArgument, "A list has \(AccessControlList.maximumGrants) grants at most")
        }
        var known: Set<String> = [owner, bucketOwner, RootAccount.id]
        var found: [AccessControlList.Grant] = []
        for grant in grants {
            let grantee: Grantee
            switch grant.grantee {
            case .id(let id):
                if !known.contains(id) {
                    guard try await store.metadata.account(id) != nil else { throw S3Error(.invalidArgument, "Invalid id") }
                    known.insert(id)
                }
                grantee = .account(id)
            case .email(let email):
                guard let account = try await store.metadata.account(email: email) else {
                    throw S3Error(.unresolvableGrantByEmailAddress, "The e-mail address is that of no account")
                }
                grantee = .account(account.id)
            case .group(let uri):
                guard let group = Grantee(uri: uri) else { throw S3Error(.invalidArgument, "Invalid group uri") }
                grantee = group
            }
            found.append(.init(grantee: grantee, permission: grant.permission))
        }
        return AccessControlList(found)
    }

    // MARK: ?acl

    func getBucketAccessControl(_ call: S3Call) async throws -> HTTPResponse {
        let rules = try rules(for: call)
        return try await document(rules.list, owner: rules.owner)
    }

    func putBucketAccessControl(_ call: S3Call) async throws -> HTTPResponse {
        let rules = try rules(for: call)
        let bucket = try await bucket(for: call).bucket
        let list = try await givenList(call, owner: rules.owner, rules)
        try await store.metadata.setDocument(.accessControl, of: bucket.id, to: try list.text(owner: rules.owner))
        return HTTPResponse(status: .ok)
    }

    func getObjectAccessControl(_ call: S3Call) async throws -> HTTPResponse {
        let rules = try rules(for: call)
        let object = try object(for: call)
        return try await document(
            rules.list(of: object), owner: rules.owner(of: object), headers: versionField(object, in: try await bucket(for: call).bucket))
    }

    func putObjectAccessControl(_ call: S3Call) async throws -> HTTPResponse {
        let rules = try rules(for: call)
        let bucket = try await bucket(for: call).bucket
        let owner = rules.owner(of: try object(for: call))
        let list = try await givenList(call, owner: owner, rules)
        let text = try list.text(owner: owner)
        let object = try await change(call, in: bucket) { $0.accessControl = text }
        return HTTPResponse(status: .ok, headers: versionField(object, in: bucket))
    }

    /// The list that a PUT gives, in its header or in its body.
    private func givenList(_ call: S3Call, owner: String, _ rules: BucketAccess) async throws -> AccessControlList {
        let fromHeader = try GivenList(call.headers)
        if rules.ownership == .bucketOwnerEnforced {
            try Self.checkUnnecessary(fromHeader)
            guard fromHeader != nil else { throw S3Error(.accessControlListNotSupported) }
        }
        let body = try await call.readDocument()
        let given: GivenList
        if let fromHeader {
            guard body.readableBytes == 0 else { throw S3Error(.invalidRequest, "A list comes in the header or in the body, not in both") }
            given = fromHeader
        } else {
            guard body.readableBytes > 0 else { throw S3Error(.missingSecurityHeader, "Your request was missing a required header") }
            let element = try XMLElement.parse(body)
            given = try GivenList(element)
            // An owner can be named, and not changed.
            if let named = element["Owner"]?.value("ID"), named != owner { throw S3Error(.accessDenied) }
        }
        let list = try await list(given, owner: owner, bucketOwner: rules.owner)
        try Self.check(list, rules)
        return list
    }

    private func document(_ list: AccessControlList, owner: String, headers: HTTPHeaders = [:]) async throws -> HTTPResponse {
        let accounts = list.grants.compactMap { grant -> String? in if case .account(let id) = grant.grantee { id } else { nil } }
        let names = try await names(of: [owner] + accounts)
        return .xml(
            XMLWriter.document("AccessControlPolicy") { writer in
                write(owner: owner, as: "Owner", names: names, to: writer)
                writer.element("AccessControlList") { writer in
                    for grant in list.grants {
                        writer.element("Grant") { writer in
                            write(grant.grantee, names, to: writer)
                            writer.element("Permission", grant.permission.rawValue)
                        }
                    }
                }
            }, headers: headers)
    }

    private func write(_ grantee: Grantee, _ names: OwnerNames, to writer: borrowing XMLWriter) {
        writer.grantee(type: grantee.isPublic ? "Group" : "CanonicalUser") { writer in
            switch grantee {
            case .account(let id):
                writer.element("ID", id)
                writer.element("DisplayName", names[id])
            case .everyone, .authenticated: writer.optional("URI", grantee.uri)
            }
        }
    }

    /// - Throws: ``S3Error`` `AccessDenied` for a call that is about no bucket.
    func rules(for call: S3Call) throws(S3Error) -> BucketAccess {
        guard let rules = call.access.rules else { throw S3Error(.accessDenied) }
        return rules
    }
}
