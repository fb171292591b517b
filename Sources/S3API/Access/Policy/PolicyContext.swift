internal import Core
internal import HTTPEdge
internal import Metadata
internal import NIOHTTP1

/// What conditions of a policy are held against: the request as it came, not what the server makes of it.
struct PolicyContext {
    let identity: Identity
    /// Who owns the bucket.
    var bucketOwner: String
    let headers: HTTPHeaders
    let query: QueryItems
    /// The client's address.
    let peer: String
    let now: Timestamp
    /// Of the object as it is; empty where there is none.
    var existingTags: [ObjectAttributes.Tag] = []
    /// Of the object as it shall be; nil while the body that says so has not been read.
    var requestTags: [ObjectAttributes.Tag]? = []
    /// Listed instead of what the query says.
    var prefix: String?

    /// - Returns: the values of a key; none when the request has no such thing; nil when it is not known yet.
    func values(of key: ConditionKey) -> [String]? {
        switch key {
        case .sourceAddress: return one(peer.isEmpty ? nil : peer)
        // What encrypts the connection stands in front of this server.
        case .secureTransport, .negative: return ["false"]
        case .currentTime: return [CalendarDate(now).internetText]
        case .epochTime: return ["\(now.millisecondsSince1970 / 1_000)"]
        case .principalAccount: return one(accountID)
        case .principalARN: return one(accountID.map { "arn:aws:iam::\($0):root" })
        case .principalType: return [identity.isAnonymous ? "Anonymous" : "Account"]
        case .resourceAccount: return [bucketOwner]
        case .field(let name): return one(headers.contains(name: name) ? headers[name].joined(separator: ",") : nil)
        case .copySource:
            guard let text = headers.first(name: "x-amz-copy-source"), let source = try? CopySource(text) else { return [] }
            return ["\(source.bucket)/\(source.key)"]
        case .parameter(let name): return one(query[name])
        case .prefix: return one(prefix ?? query["prefix"])
        case .authenticationType: return one(authenticationType)
        case .signatureVersion: return one(signatureVersion)
        case .existingTag(let name): return existingTags.filter { $0.key == name }.map(\.value)
        case .requestTag(let name): return requestTags?.filter { $0.key == name }.map(\.value)
        case .requestTagKeys: return requestTags?.map(\.key)
        case .absent: return []
        }
    }

    private func one(_ value: String?) -> [String] { value.map { [$0] } ?? [] }

    private var accountID: String? { identity.isAnonymous ? nil : identity.ownerID ?? RootAccount.id }

    private var authenticationType: String? {
        guard !identity.isAnonymous else { return nil }
        return headers.contains(name: "authorization") ? "REST-HEADER" : query.items.isEmpty ? "POST" : "REST-QUERY-STRING"
    }

    private var signatureVersion: String? {
        guard !identity.isAnonymous else { return nil }
        let isFourth = query.has("X-Amz-Algorithm") || headers.first(name: "authorization")?.hasPrefix(Authorization.algorithm) == true
        return isFourth ? Authorization.algorithm : "AWS"
    }
}
