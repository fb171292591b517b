internal import Metadata
internal import NIOHTTP1
internal import ObjectStore

/// What operations ask about who is who.
extension S3Responder {
    /// The bucket that a call is about. That the caller may do to it what the call does was decided when it was admitted.
    func bucket(for call: S3Call) async throws -> BucketDescription {
        guard let bucket = call.access.bucket else { throw S3Error(.accessDenied) }
        return bucket
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
