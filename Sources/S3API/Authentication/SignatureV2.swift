internal import Core
internal import Crypto
internal import FoundationEssentials
internal import HTTPEdge
internal import NIOHTTP1
internal import SignatureV4

/// Signature Version 2, which old clients still use ("Signing and authenticating REST requests" in the S3 user guide).
struct SignatureV2: Sendable {
    /// Query parameters that are signed, beside the path.
    private static let signedParameters: Set<String> = [
        "accelerate", "acl", "analytics", "cors", "defaultObjectAcl", "delete", "inventory", "lifecycle", "location", "logging", "metrics",
        "notification", "object-lock", "partNumber", "policy", "replication", "requestPayment", "response-cache-control",
        "response-content-disposition", "response-content-encoding", "response-content-language", "response-content-type",
        "response-expires", "restore", "select", "select-type", "storageClass", "tagging", "torrent", "uploadId", "uploads", "versionId",
        "versioning", "versions", "website",
    ]

    /// Whether a query says something that this server obeys and that signatures of this version do not cover: whoever has a presigned
    /// URL could add it.
    static func leavesUnsigned(_ query: QueryItems) -> Bool {
        query.items.contains { item in
            !signedParameters.contains(item.name)
                && (S3Operation.bucketDocuments.contains(item.name) || S3Operation.objectDocuments.contains(item.name)
                    || item.name == "attributes")
        }
    }

    private let key: SymmetricKey

    init(secret: String) { key = SymmetricKey(data: Array(secret.utf8)) }

    /// Base64.
    func signature(of text: String) -> String {
        Data(HMAC<Insecure.SHA1>.authenticationCode(for: Array(text.utf8), using: key)).base64EncodedString()
    }

    /// Whether `signature` is that of `text`. Takes the same time wherever the two differ.
    func isSignature(_ signature: String, of text: String) -> Bool {
        isEqualInConstantTime(Array(signature.utf8), Array(self.signature(of: text).utf8))
    }

    /// What may have been signed of a request: of a bucket that the path names alone, some clients sign a path with a slash behind it,
    /// which they do not send.
    /// - Parameters:
    ///   - bucketInHost: the bucket, when it is named by the host and not by the path.
    ///   - date: the field `Date`, nothing where there is an `x-amz-date`, or when a presigned URL expires.
    static func stringsToSign(_ request: HTTPRequest, bucketInHost: String?, date: String) -> [String] {
        func field(_ name: String) -> String { request.headers.first(name: name).map { $0.trimmingBlanks() } ?? "" }
        var text = "\(request.method.rawValue)\n\(field("content-md5"))\n\(field("content-type"))\n\(date)\n"
        var fields: [String: String] = [:]
        for (name, value) in request.headers {
            let name = name.lowercased()
            guard name.hasPrefix("x-amz-") else { continue }
            let value = value.trimmingBlanks()
            fields[name] = fields[name].map { "\($0),\(value)" } ?? value
        }
        for (name, value) in fields.sorted(by: { $0.key < $1.key }) { text += "\(name):\(value)\n" }
        let path = (bucketInHost.map { "/\($0)" } ?? "") + request.target.path
        let parameters = parameters(of: request.target)
        let paths = path.lastIndex(of: "/") == path.startIndex && path.utf8.count > 1 ? [path, path + "/"] : [path]
        return paths.map { text + $0 + parameters }
    }

    /// What the query says of the resource, its values decoded.
    private static func parameters(of target: RequestTarget) -> String {
        var parameters: [(name: String, text: String)] = []
        for item in (target.query ?? "").split(separator: "&") {
            let sides = item.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            // As it is understood, not as it is written: what is obeyed is what was signed.
            guard let name = RequestTarget.percentDecoded(sides[0], plusIsSpace: true), signedParameters.contains(name) else { continue }
            // One without a value, and one with an empty value, are two things here.
            guard sides.count == 2 else {
                parameters.append((name, name))
                continue
            }
            parameters.append((name, "\(name)=\(RequestTarget.percentDecoded(sides[1]) ?? String(sides[1]))"))
        }
        if parameters.isEmpty { return "" }
        return "?" + parameters.sorted { $0.name < $1.name }.map(\.text).joined(separator: "&")
    }
}

extension Authenticator {
    // MARK: Signature Version 2

    /// The word with which the field `Authorization` begins.
    static let version2 = "AWS "

    /// `Authorization: AWS ACCESSKEY:SIGNATURE`.
    /// - Throws: ``S3Error``.
    func checkSignedV2(_ request: HTTPRequest, field: String, bucketInHost: String?) async throws -> Result {
        let amazonDate = request.headers.first(name: "x-amz-date")
        // The date comes first: what is wrong with it is to be heard although the signature, which covers it, is wrong then too.
        guard let time = (amazonDate ?? request.headers.first(name: "date")).flatMap({ SigningTime(http: $0) ?? SigningTime(compact: $0) })
        else { throw S3Error(.accessDenied, "A signed request needs a valid x-amz-date or Date") }
        guard time.distance(to: self.time.now()) <= Self.maximumSkew else { throw S3Error(.requestTimeTooSkewed) }
        let credential = field.dropFirst(Self.version2.count).drop { $0 == " " }
        guard let colon = credential.lastIndex(of: ":") else {
            throw S3Error(.invalidArgument, "The Authorization must be of the form AWS ACCESSKEY:SIGNATURE")
        }
        let date = amazonDate == nil ? request.headers.first(name: "date").map { $0.trimmingBlanks() } ?? "" : ""
        let signature = String(credential[credential.index(after: colon)...]).trimmingBlanks()
        return try await checkV2(
            request, accessKey: String(credential[..<colon]), signature: signature, bucketInHost: bucketInHost, date: date)
    }

    /// `?AWSAccessKeyId=ACCESSKEY&Expires=SECONDS&Signature=SIGNATURE`.
    /// - Throws: ``S3Error``.
    func checkPresignedV2(_ request: HTTPRequest, query: QueryItems, bucketInHost: String?) async throws -> Result {
        guard let accessKey = query["AWSAccessKeyId"], let signature = query["Signature"], let text = query["Expires"],
            let expires = Int64(text), text.utf8.allSatisfy({ (0x30...0x39).contains($0) })
        else { throw S3Error(.accessDenied, "A presigned request needs AWSAccessKeyId, Expires and Signature") }
        guard !SignatureV2.leavesUnsigned(query) else {
            throw S3Error(.accessDenied, "A presigned request of Signature V2 can ask for no more than it covers")
        }
        guard time.now().millisecondsSince1970 / 1_000 <= expires else { throw S3Error(.accessDenied, "Request has expired") }
        return try await checkV2(request, accessKey: accessKey, signature: signature, bucketInHost: bucketInHost, date: text)
    }

    private func checkV2(
        _ request: HTTPRequest, accessKey: String, signature: String, bucketInHost: String?, date: String
    ) async throws -> Result {
        let (identity, secret) = try await find(accessKey)
        let key = SignatureV2(secret: secret)
        let texts = SignatureV2.stringsToSign(request, bucketInHost: bucketInHost, date: date)
        guard texts.contains(where: { key.isSignature(signature, of: $0) }) else { throw S3Error(.signatureDoesNotMatch) }
        // Nothing is said of the body but what fields of the header say.
        var payload = Payload.unsigned
        if let content = request.headers.first(name: "x-amz-content-sha256") { payload = try Payload(content, signer: nil) }
        return Result(identity: identity, payload: payload)
    }
}
