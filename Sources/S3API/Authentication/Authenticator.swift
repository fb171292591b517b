internal import Core
internal import HTTPEdge
internal import Metadata
internal import NIOHTTP1
internal import SignatureV4

/// Finds out who sends a request, by its signature: AWS Signature Version 4 or 2, in the `Authorization` field or in the query.
struct Authenticator: Sendable {
    /// How far a client's clock may be from ours, in milliseconds.
    static let maximumSkew: Int64 = 15 * 60 * 1_000
    /// Seconds that a presigned URL can be valid for.
    static let maximumExpiry = 7 * 24 * 3_600

    /// The key of the configuration; nil when there is none.
    let root: (accessKey: String, secretKey: String)?
    let keys: any AccountStore
    let time: any TimeSource

    struct Result {
        let identity: Identity
        let payload: Payload
    }

    /// - Parameter bucketInHost: the bucket, when it is named by the host and not by the path.
    /// - Throws: ``S3Error`` for a request that is signed, and wrongly.
    func authenticate(_ request: HTTPRequest, query: QueryItems, bucketInHost: String? = nil) async throws -> Result {
        if query.has("X-Amz-Algorithm") || query.has("X-Amz-Signature") || query.has("X-Amz-Credential") {
            guard !request.headers.contains(name: "authorization") else {
                throw S3Error(.invalidArgument, "Only one of the two can sign: the Authorization field, or the query")
            }
            return try await checkPresigned(request, query: query)
        }
        if query.has("AWSAccessKeyId") || query.has("Signature") {
            return try await checkPresignedV2(request, query: query, bucketInHost: bucketInHost)
        }
        if let field = request.headers.first(name: "authorization") {
            if field.hasPrefix(Self.version2) {
                return try await checkSignedV2(request, field: field, bucketInHost: bucketInHost)
            }
            return try await checkSigned(request, Authorization(field: field), query: query)
        }
        let payload = try request.headers.first(name: "x-amz-content-sha256").map { try Payload($0, signer: nil) }
        return Result(identity: .anonymous, payload: payload ?? .unsigned)
    }

    // MARK: The field Authorization

    private func checkSigned(_ request: HTTPRequest, _ authorization: Authorization, query: QueryItems) async throws -> Result {
        let field = request.headers.first(name: "x-amz-date")
        guard let time = field.flatMap(SigningTime.init(compact:)) ?? Self.date(request, unless: field) else {
            throw S3Error(.accessDenied, "A signed request needs a valid x-amz-date or Date")
        }
        let scope = authorization.credential.scope
        guard scope.service == "s3", scope.date == time.date else {
            throw S3Error(.authorizationHeaderMalformed, "The scope of the credential is not that of this request")
        }
        let (identity, secret) = try await find(authorization.credential.accessKey)
        guard time.distance(to: self.time.now()) <= Self.maximumSkew else { throw S3Error(.requestTimeTooSkewed) }
        guard let content = request.headers.first(name: "x-amz-content-sha256") else {
            throw S3Error(.invalidRequest, "Missing required header for this request: x-amz-content-sha256")
        }
        let key = SigningKey(secret: secret, scope: scope)
        let canonical = try canonicalRequest(request, signedHeaders: authorization.signedHeaders, query: query.items, payload: content)
        guard key.isSignature(authorization.signature, of: canonical.stringToSign(time: time.text, scope: scope)) else {
            throw S3Error(.signatureDoesNotMatch)
        }
        let signer = ChunkSigner(key: key, time: time.text, scope: scope, seed: authorization.signature)
        return Result(identity: identity, payload: try Payload(content, signer: signer))
    }

    private static func date(_ request: HTTPRequest, unless field: String?) -> SigningTime? {
        guard field == nil, let text = request.headers.first(name: "date") else { return nil }
        return SigningTime(http: text) ?? SigningTime(compact: text)
    }

    // MARK: Presigned

    private func checkPresigned(_ request: HTTPRequest, query: QueryItems) async throws -> Result {
        guard query["X-Amz-Algorithm"] == Authorization.algorithm, let credential = query["X-Amz-Credential"].flatMap(Credential.init),
            let time = query["X-Amz-Date"].flatMap(SigningTime.init(compact:)), let signedHeaders = query["X-Amz-SignedHeaders"],
            let signature = query["X-Amz-Signature"], let expiry = query["X-Amz-Expires"].flatMap({ Int($0) })
        else {
            throw S3Error(
                .authorizationQueryParametersError,
                "A presigned request needs X-Amz-Algorithm (\(Authorization.algorithm)), -Credential, -Date, -Expires, -SignedHeaders, -Signature"
            )
        }
        guard expiry <= Self.maximumExpiry else {
            throw S3Error(.authorizationQueryParametersError, "X-Amz-Expires must be from 1 to \(Self.maximumExpiry) seconds")
        }
        // It would have been valid until it was made, or until before that.
        guard expiry > 0 else { throw S3Error(.accessDenied, "Request has expired") }
        guard credential.scope.service == "s3", credential.scope.date == time.date else {
            throw S3Error(.authorizationQueryParametersError, "The scope of the credential is not that of this request")
        }
        let (identity, secret) = try await find(credential.accessKey)
        let now = self.time.now().millisecondsSince1970
        guard now <= time.timestamp.millisecondsSince1970 + Int64(expiry) * 1_000 else {
            throw S3Error(.accessDenied, "Request has expired")
        }
        guard time.timestamp.millisecondsSince1970 <= now + Self.maximumSkew else {
            throw S3Error(.accessDenied, "Request is not valid yet")
        }
        let authorization = Authorization(credential: credential, signedHeaders: signedHeaders, signature: signature)
        let content = query["X-Amz-Content-Sha256"] ?? request.headers.first(name: "x-amz-content-sha256") ?? Payload.unsignedText
        let canonical = try canonicalRequest(
            request, signedHeaders: authorization.signedHeaders, query: query.items.filter { $0.name != "X-Amz-Signature" },
            payload: content)
        let key = SigningKey(secret: secret, scope: credential.scope)
        guard key.isSignature(signature, of: canonical.stringToSign(time: time.text, scope: credential.scope)) else {
            throw S3Error(.signatureDoesNotMatch)
        }
        let signer = ChunkSigner(key: key, time: time.text, scope: credential.scope, seed: signature)
        return Result(identity: identity, payload: try Payload(content, signer: signer))
    }

    // MARK: Both

    /// Of whom the key is, and its secret.
    func find(_ accessKey: String) async throws -> (Identity, secret: String) {
        if let root, root.accessKey == accessKey { return (.root, root.secretKey) }
        guard let (key, account) = try await keys.accessKey(accessKey), key.isEnabled else { throw S3Error(.invalidAccessKeyId) }
        return (.account(account), key.secretKey)
    }

    /// - Throws: ``S3Error`` `AccessDenied` when a field that must be signed is not.
    private func canonicalRequest(
        _ request: HTTPRequest, signedHeaders: [String], query: [(name: String, value: String)], payload: String
    ) throws -> CanonicalRequest {
        guard signedHeaders.contains("host") else { throw S3Error(.accessDenied, "The field host must be signed") }
        for (name, _) in request.headers {
            let name = name.lowercased()
            guard name.hasPrefix("x-amz-"), !signedHeaders.contains(name) else { continue }
            // Presigned URLs are used by clients that cannot know which fields the signer had in mind: only those that say something
            // of the body may come along unsigned.
            guard name == "x-amz-content-sha256" else {
                throw S3Error(.accessDenied, "There were headers present in the request which were not signed: \(name)")
            }
        }
        guard let path = Self.decoded(request.target.path) else { throw S3Error(.invalidURI) }
        return CanonicalRequest(
            method: request.method.rawValue, path: path, query: query,
            headers: signedHeaders.map { ($0, request.headers[$0]) }, payload: payload)
    }

    /// The bytes of a path: unlike its text they may be anything.
    private static func decoded(_ path: String) -> [UInt8]? { RequestTarget.percentDecoded(path).map { Array($0.utf8) } }
}
