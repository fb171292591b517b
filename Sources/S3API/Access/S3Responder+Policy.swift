internal import HTTPEdge
internal import Metadata
internal import NIOCore
internal import NIOHTTP1
internal import ObjectStore

/// Bucket policies, the block of public access, and object ownership.
extension S3Responder {
    // MARK: ?policy

    func getPolicy(_ call: S3Call) async throws -> HTTPResponse {
        guard let kept = try await bucket(for: call).documents[.policy] else {
            throw S3Error(.noSuchBucketPolicy, "The bucket policy does not exist")
        }
        return HTTPResponse(
            status: .ok, headers: ["Content-Type": "application/json"], body: .bytes(ByteBuffer(string: BucketPolicy.given(kept).text)))
    }

    func putPolicy(_ call: S3Call) async throws -> HTTPResponse {
        let rules = try rules(for: call)
        let bucket = try await bucket(for: call).bucket
        let text = String(buffer: try await call.readDocument())
        let policy = try Policy(text, bucket: bucket.name)
        guard !policy.isPublic || !rules.block.on.contains(.blockPublicPolicy) else {
            throw S3Error(.accessDenied, "The bucket blocks public policies")
        }
        let excludesOwner = call.headers.first(name: "x-amz-confirm-remove-self-bucket-access")?.lowercased() == "true"
        try await store.metadata.setDocument(.policy, of: bucket.id, to: BucketPolicy.kept(text, excludesOwner: excludesOwner))
        return HTTPResponse(status: .noContent)
    }

    func getPolicyStatus(_ call: S3Call) throws -> HTTPResponse {
        let rules = try rules(for: call)
        let isOpened = rules.list.isPublic && rules.ownership != .bucketOwnerEnforced && !rules.block.on.contains(.ignorePublicAcls)
        return .xml(
            XMLWriter.document("PolicyStatus") { writer in
                writer.element("IsPublic", rules.policy?.policy.isPublic == true || isOpened)
            })
    }

    // MARK: ?publicAccessBlock

    func getPublicAccessBlock(_ call: S3Call) async throws -> HTTPResponse {
        guard let text = try await bucket(for: call).documents[.publicAccessBlock] else {
            throw S3Error(.noSuchPublicAccessBlockConfiguration, "The public access block configuration was not found")
        }
        return .xml(XMLWriter.document("PublicAccessBlockConfiguration") { PublicAccessBlock(text: text).write(to: $0) })
    }

    func putPublicAccessBlock(_ call: S3Call) async throws -> HTTPResponse {
        let bucket = try await bucket(for: call).bucket
        let block = try PublicAccessBlock(try await call.readXML("PublicAccessBlockConfiguration"))
        try await store.metadata.setDocument(.publicAccessBlock, of: bucket.id, to: block.text)
        return HTTPResponse(status: .ok)
    }

    // MARK: ?ownershipControls

    func getOwnership(_ call: S3Call) async throws -> HTTPResponse {
        guard let name = try await bucket(for: call).documents[.ownership] else {
            throw S3Error(.ownershipControlsNotFound, "The bucket ownership controls were not found")
        }
        return .xml(
            XMLWriter.document("OwnershipControls") { writer in
                writer.element("Rule") { $0.element("ObjectOwnership", name) }
            })
    }

    func putOwnership(_ call: S3Call) async throws -> HTTPResponse {
        let rules = try rules(for: call)
        let bucket = try await bucket(for: call).bucket
        let ownership = try ObjectOwnership(try await call.readXML("OwnershipControls"))
        // Whom the list lets in would be shut out without a word.
        guard ownership != .bucketOwnerEnforced || rules.list == .owned(by: rules.owner) else {
            throw S3Error(.invalidBucketAclWithObjectOwnership)
        }
        try await store.metadata.setDocument(.ownership, of: bucket.id, to: ownership.rawValue)
        return HTTPResponse(status: .ok)
    }
}
