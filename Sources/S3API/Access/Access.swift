internal import Core
internal import HTTPEdge
internal import Metadata
internal import NIOHTTP1
internal import ObjectStore

/// What was looked up, and found right, when a request was admitted. Only ``S3Responder/admit(_:)`` makes one.
struct Access {
    /// Nil for what is about no bucket.
    let bucket: BucketDescription?
    let rules: BucketAccess?
    /// The version that the request is about, where that was needed to decide; nil for one that is not there, too.
    let version: ObjectVersion?
    let upload: UploadRecord?
    /// What remains to be decided is decided against this.
    let context: PolicyContext

    fileprivate init(
        bucket: BucketDescription? = nil, rules: BucketAccess? = nil, version: ObjectVersion? = nil, upload: UploadRecord? = nil,
        context: PolicyContext
    ) {
        self.bucket = bucket
        self.rules = rules
        self.version = version
        self.upload = upload
        self.context = context
    }
}

extension S3Responder {
    /// Decides whether a request may be served, before anything of its body is read and before its arguments are looked at.
    /// - Throws: ``S3Error`` `NoSuchBucket` before `AccessDenied`; `NotImplemented`.
    func admit(_ request: S3Request) async throws -> S3Call {
        switch try request.operation.requirement(request.document, request.request.headers, request.query) {
        case .account:
            guard !request.identity.isAnonymous else { throw S3Error(.accessDenied) }
            return S3Call(asked: request, access: Access(context: context(of: request, bucketOwner: nil)))
        case .existingBucket:
            // A preflight may ask about the service, too, which has no rules.
            guard let name = request.address.bucket else { throw S3Error(.badRequest, "CORS is a matter of buckets") }
            let (description, rules) = try await existingBucket(name)
            return S3Call(
                asked: request,
                access: Access(bucket: description, rules: rules, context: context(of: request, bucketOwner: rules.owner)))
        case .rights(let rights):
            return S3Call(asked: request, access: try await access(of: request, rights))
        }
    }

    private func access(of request: S3Request, _ rights: Requirement.Rights) async throws -> Access {
        let (description, rules) = try await existingBucket(request.bucketName)
        try Self.check(owner: rules.owner, expectedBy: request.request.headers.first(name: "x-amz-expected-bucket-owner"))
        var context = context(of: request, bucketOwner: rules.owner)
        var version: ObjectVersion?
        var upload: UploadRecord?
        var subject = BucketAccess.Subject.bucket
        switch rights.subject {
        case .bucket: break
        case .keys:
            guard rules.mayAllow(anyOf: [.deleteObject, .deleteObjectVersion], to: request.identity) else { throw S3Error(.accessDenied) }
            return Access(bucket: description, rules: rules, context: context)
        case .key:
            subject = .key(request.key)
            context.requestTags = Self.tags(of: request)
        case .upload:
            upload = try await self.upload(request, in: description.bucket)
            subject = upload.map(BucketAccess.Subject.upload) ?? .key(request.key)
        case .version:
            version = try await self.version(request, in: description.bucket)
            if case .object(let object)? = version {
                subject = .object(object)
                context.existingTags = object.attributes.tags ?? []
                // What is put instead of them stands in the body.
                if request.operation == .putObjectDocument { context.requestTags = nil }
            } else {
                try Self.checkMissing(request.key, rights, rules, context)
                return Access(bucket: description, rules: rules, version: version, context: context)
            }
        }
        guard rights.actions.allSatisfy({ rules.allows($0, on: subject, in: context) }),
            !rights.mustNotBeDenied.contains(where: { rules.refuses($0, on: subject, in: context) })
        else { throw S3Error(.accessDenied) }
        return Access(bucket: description, rules: rules, version: version, upload: upload, context: context)
    }

    /// That something is not there is told to those who could have seen it in a listing.
    private static func checkMissing(
        _ key: String, _ rights: Requirement.Rights, _ rules: BucketAccess, _ context: PolicyContext
    ) throws(S3Error) {
        var listing = context
        listing.prefix = key
        guard !rights.actions.contains(where: { rules.refuses($0, on: .key(key), in: context) }),
            rules.allows(.listBucket, on: .bucket, in: listing)
        else { throw S3Error(.accessDenied) }
    }

    /// The object that a copy reads.
    /// - Throws: ``S3Error`` `NoSuchBucket`, `AccessDenied`, and what there is to say of a version that is not there.
    func readable(_ source: CopySource, for call: S3Call) async throws -> ReadableSource {
        let (description, rules) = try await existingBucket(source.bucket)
        try Self.check(owner: rules.owner, expectedBy: call.headers.first(name: "x-amz-source-expected-bucket-owner"))
        let isLatest = source.version == .latest
        let rights = Requirement.Rights(actions: [isLatest ? .getObject : .getObjectVersion], subject: .version)
        var context = call.access.context
        context.bucketOwner = rules.owner
        let version = try await store.metadata.version(source.version, of: source.key, in: description.bucket.id)
        guard case .object(let object)? = version else {
            try Self.checkMissing(source.key, rights, rules, context)
            return ReadableSource(
                bucket: description.bucket, object: try Self.existing(version, source.key, source.version), mayReadTags: false)
        }
        context.existingTags = object.attributes.tags ?? []
        guard rights.actions.allSatisfy({ rules.allows($0, on: .object(object), in: context) }) else { throw S3Error(.accessDenied) }
        let readsTags: S3Action = isLatest ? .getObjectTagging : .getObjectVersionTagging
        return ReadableSource(
            bucket: description.bucket, object: object, mayReadTags: rules.allows(readsTags, on: .object(object), in: context))
    }

    struct ReadableSource {
        let bucket: BucketRecord
        let object: ObjectRecord
        let mayReadTags: Bool
    }

    // MARK: What is needed to decide

    private func existingBucket(_ name: String) async throws -> (BucketDescription, BucketAccess) {
        guard let description = try await store.metadata.describeBucket(named: name), !description.bucket.isInternal else {
            throw S3Error(.noSuchBucket, details: [.init(name: "BucketName", value: name)])
        }
        let policy = try description.documents[.policy].map { try policies.policy($0, of: description.bucket) }
        return (description, BucketAccess(description, policy: policy))
    }

    private static func check(owner: String, expectedBy field: String?) throws(S3Error) {
        guard field == nil || field == owner else { throw S3Error(.accessDenied) }
    }

    private func context(of request: S3Request, bucketOwner: String?) -> PolicyContext {
        PolicyContext(
            identity: request.identity, bucketOwner: bucketOwner ?? "", headers: request.request.headers, query: request.query,
            peer: request.request.peer, now: time.now())
    }

    /// A version whose name cannot be one is not there: what is wrong with it is said to those who may know.
    private func version(_ request: S3Request, in bucket: BucketRecord) async throws -> ObjectVersion? {
        guard let selector = try? request.version() else { return nil }
        return try await store.metadata.version(selector, of: request.key, in: bucket.id)
    }

    private func upload(_ request: S3Request, in bucket: BucketRecord) async throws -> UploadRecord? {
        guard let id = UploadID(request.query["uploadId"] ?? ""), let upload = try await store.metadata.upload(id),
            upload.bucket == bucket.id, upload.key == request.key
        else { return nil }
        return upload
    }

    private static func tags(of request: S3Request) -> [ObjectAttributes.Tag] {
        (try? Tags.parse(query: request.request.headers.first(name: "x-amz-tagging") ?? "")) ?? []
    }
}

extension S3Call {
    /// Whether the caller may do to a key of the bucket what is not known before its body, or its arguments, are read.
    func may(_ action: S3Action, _ key: String) -> Bool {
        access.rules?.allows(action, on: .key(key), in: access.context) ?? false
    }

    /// Asks once more when the body has said which tags an object shall have.
    /// - Throws: ``S3Error`` `AccessDenied`.
    func confirm(_ action: S3Action, tags: [ObjectAttributes.Tag]) throws(S3Error) {
        var context = access.context
        context.requestTags = tags
        guard let rules = access.rules, case .object(let object)? = access.version else { return }
        guard rules.allows(action, on: .object(object), in: context) else { throw S3Error(.accessDenied) }
    }
}
