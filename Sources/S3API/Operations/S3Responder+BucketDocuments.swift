internal import HTTPEdge
internal import Metadata
internal import NIOHTTP1
internal import ObjectStore

/// What belongs to a bucket beside its objects: one document a query parameter.
extension S3Responder {
    func getBucketDocument(_ call: S3Call) async throws -> HTTPResponse {
        switch call.document {
        case "acl": try await getBucketAccessControl(call)
        case "policy": try await getPolicy(call)
        case "policyStatus": try getPolicyStatus(call)
        case "publicAccessBlock": try await getPublicAccessBlock(call)
        case "ownershipControls": try await getOwnership(call)
        case "cors": try await getCrossOriginRules(call)
        case "versioning": try await getVersioning(call)
        case "tagging": try await getBucketTagging(call)
        case "encryption": try await getBucketEncryption(call)
        case "object-lock": try await getObjectLock(call)
        case "lifecycle": try await getLifecycle(call)
        default: throw S3Error(.notImplemented)
        }
    }

    func putBucketDocument(_ call: S3Call) async throws -> HTTPResponse {
        switch call.document {
        case "acl": try await putBucketAccessControl(call)
        case "policy": try await putPolicy(call)
        case "publicAccessBlock": try await putPublicAccessBlock(call)
        case "ownershipControls": try await putOwnership(call)
        case "cors": try await putCrossOriginRules(call)
        case "versioning": try await putVersioning(call)
        case "tagging": try await putBucketTagging(call)
        case "encryption": try await putBucketEncryption(call)
        case "object-lock": try await putObjectLock(call)
        case "lifecycle": try await putLifecycle(call)
        default: throw S3Error(.notImplemented)
        }
    }

    func deleteBucketDocument(_ call: S3Call) async throws -> HTTPResponse {
        switch call.document {
        case "policy": try await remove(.policy, call)
        case "publicAccessBlock": try await remove(.publicAccessBlock, call)
        case "ownershipControls": try await remove(.ownership, call)
        case "cors": try await remove(.cors, call)
        case "tagging": try await remove(.tagging, call)
        case "encryption": try await remove(.encryption, call)
        case "lifecycle": try await remove(.lifecycle, call)
        default: throw S3Error(.notImplemented)
        }
    }

    func remove(_ document: BucketDocument, _ call: S3Call) async throws -> HTTPResponse {
        try await store.metadata.setDocument(document, of: try await bucket(for: call).bucket.id, to: nil)
        return HTTPResponse(status: .noContent)
    }

    // MARK: Versioning

    private func getVersioning(_ call: S3Call) async throws -> HTTPResponse {
        let bucket = try await bucket(for: call).bucket
        return .xml(
            XMLWriter.document("VersioningConfiguration") { writer in
                switch bucket.versioning {
                case .off: break
                case .enabled: writer.element("Status", "Enabled")
                case .suspended: writer.element("Status", "Suspended")
                }
            })
    }

    private func putVersioning(_ call: S3Call) async throws -> HTTPResponse {
        let bucket = try await bucket(for: call).bucket
        let configuration = try await call.readXML("VersioningConfiguration")
        if configuration.value("MfaDelete") == "Enabled" { throw S3Error(.notImplemented, "MFA delete is not implemented") }
        let versioning: Versioning
        switch configuration.value("Status") {
        case "Enabled": versioning = .enabled
        case "Suspended": versioning = .suspended
        default: throw S3Error(.illegalVersioningConfiguration, "The Versioning element must be specified")
        }
        do {
            try await store.metadata.setVersioning(versioning, of: bucket.id)
        } catch MetadataError.conflict {
            throw S3Error(.invalidBucketState, "Objects of this bucket can be locked: its versioning cannot be suspended")
        }
        return HTTPResponse(status: .ok)
    }

    // MARK: Tagging

    private func getBucketTagging(_ call: S3Call) async throws -> HTTPResponse {
        let description = try await bucket(for: call)
        guard let text = description.documents[.tagging] else { throw S3Error(.noSuchTagSet, "The TagSet does not exist") }
        let tags = try Tags.parse(query: text, maximum: Tags.maximumOfBucket)
        return .xml(XMLWriter.document("Tagging") { Tags.write(tags, to: $0) })
    }

    private func putBucketTagging(_ call: S3Call) async throws -> HTTPResponse {
        let bucket = try await bucket(for: call).bucket
        let tags = try Tags.parse(try await call.readXML("Tagging"), maximum: Tags.maximumOfBucket)
        try await store.metadata.setDocument(.tagging, of: bucket.id, to: Tags.query(tags))
        return HTTPResponse(status: .noContent)
    }
}
