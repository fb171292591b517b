internal import HTTPEdge
internal import Metadata
internal import NIOHTTP1
internal import ObjectStore

/// What belongs to a bucket beside its objects: one document a query parameter.
extension S3Responder {
    func getBucketDocument(_ call: S3Call) async throws -> HTTPResponse {
        switch call.document {
        case "versioning": try await getVersioning(call)
        case "tagging": try await getBucketTagging(call)
        default: throw S3Error(.notImplemented)
        }
    }

    func putBucketDocument(_ call: S3Call) async throws -> HTTPResponse {
        switch call.document {
        case "versioning": try await putVersioning(call)
        case "tagging": try await putBucketTagging(call)
        default: throw S3Error(.notImplemented)
        }
    }

    func deleteBucketDocument(_ call: S3Call) async throws -> HTTPResponse {
        switch call.document {
        case "tagging":
            let bucket = try await bucket(for: call).bucket
            try await store.metadata.setDocument(.tagging, of: bucket.id, to: nil)
            return HTTPResponse(status: .noContent)
        case "versioning": throw S3Error(.methodNotAllowed)
        default: throw S3Error(.notImplemented)
        }
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
