internal import Metadata
internal import NIOHTTP1
internal import ObjectStore

/// Who may do what.
extension S3Responder {
    /// The bucket that a call is about, when the caller may do to it what the call does.
    /// - Throws: ``S3Error`` `NoSuchBucket`, `AccessDenied`.
    func bucket(for call: S3Call) async throws -> BucketDescription {
        try await bucket(named: call.bucketName, for: call)
    }

    func bucket(named name: String, for call: S3Call) async throws -> BucketDescription {
        guard let description = try await store.metadata.describeBucket(named: name), !description.bucket.isInternal else {
            throw S3Error(.noSuchBucket, details: [.init(name: "BucketName", value: name)])
        }
        if let expected = call.headers.first(name: "x-amz-expected-bucket-owner"), expected != ownerID(description.bucket.owner) {
            throw S3Error(.accessDenied)
        }
        guard mayUse(description.bucket, call.identity) else { throw S3Error(.accessDenied) }
        return description
    }

    /// The owner of a bucket may do everything with it and what is in it, and so may the root account; nobody else may do anything.
    private func mayUse(_ bucket: BucketRecord, _ identity: Identity) -> Bool { identity == .root || identity.owns(bucket.owner) }

    /// - Throws: ``S3Error`` `AccessDenied` for an anonymous call.
    func requireAccount(_ call: S3Call) throws(S3Error) {
        if call.identity.isAnonymous { throw S3Error(.accessDenied) }
    }

    /// How the API calls an owner; nil is the root account.
    func ownerID(_ owner: String?) -> String { owner ?? RootAccount.id }

    func write(owner: String?, as element: String, names: OwnerNames, to writer: borrowing XMLWriter) {
        writer.element(element) { writer in
            writer.element("ID", ownerID(owner))
            writer.element("DisplayName", names[owner])
        }
    }

    /// The display names of owners.
    func names(of owners: some Sequence<String?>) async throws -> OwnerNames {
        var names: [String: String] = [:]
        for owner in Set(owners.compactMap { $0 }) { names[owner] = try await store.metadata.account(owner)?.displayName }
        return OwnerNames(names: names)
    }
}

/// The account of the configuration.
enum RootAccount {
    static let id = "root"
    static let displayName = "root"
}

/// Display names by account. One that is gone is shown by its id.
struct OwnerNames {
    fileprivate let names: [String: String]

    subscript(owner: String?) -> String {
        guard let owner else { return RootAccount.displayName }
        return names[owner] ?? owner
    }
}
