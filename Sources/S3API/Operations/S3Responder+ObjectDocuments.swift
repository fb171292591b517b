internal import HTTPEdge
internal import Metadata
internal import NIOHTTP1
internal import ObjectStore

/// What belongs to an object beside its content: one document a query parameter.
extension S3Responder {
    func getObjectDocument(_ call: S3Call) async throws -> HTTPResponse {
        switch call.document {
        case "acl": try await getObjectAccessControl(call)
        case "tagging": try await getTagging(call)
        case "retention": try await getRetention(call)
        case "legal-hold": try await getLegalHold(call)
        default: throw S3Error(.notImplemented)
        }
    }

    func putObjectDocument(_ call: S3Call) async throws -> HTTPResponse {
        switch call.document {
        case "acl": try await putObjectAccessControl(call)
        case "tagging": try await putTagging(call)
        case "retention": try await putRetention(call)
        case "legal-hold": try await putLegalHold(call)
        default: throw S3Error(.notImplemented)
        }
    }

    func deleteObjectDocument(_ call: S3Call) async throws -> HTTPResponse {
        let bucket = try await bucket(for: call).bucket
        let object = try await change(call, in: bucket) { $0.tags = nil }
        return HTTPResponse(status: .noContent, headers: versionField(object, in: bucket))
    }

    private func getTagging(_ call: S3Call) async throws -> HTTPResponse {
        let bucket = try await bucket(for: call).bucket
        let object = try object(for: call)
        return .xml(
            XMLWriter.document("Tagging") { Tags.write(object.attributes.tags ?? [], to: $0) }, headers: versionField(object, in: bucket))
    }

    private func putTagging(_ call: S3Call) async throws -> HTTPResponse {
        let bucket = try await bucket(for: call).bucket
        _ = try object(for: call)
        let tags = try Tags.parse(try await call.readXML("Tagging"), maximum: Tags.maximumOfObject)
        try call.confirm(call.query.has("versionId") ? .putObjectVersionTagging : .putObjectTagging, tags: tags)
        let object = try await change(call, in: bucket) { $0.tags = tags }
        return HTTPResponse(status: .ok, headers: versionField(object, in: bucket))
    }

    /// Changes the version over which was decided when the call was admitted: another may be the latest by now.
    /// - Throws: ``S3Error`` `NoSuchKey` and what else there is to say of a version that is not there.
    func change(
        _ call: S3Call, in bucket: BucketRecord, _ change: @escaping @Sendable (inout ObjectAttributes) throws -> Void
    ) async throws -> ObjectRecord {
        let version = try object(for: call).version
        let changed = try await store.metadata.changeAttributes(of: .named(version), of: call.key, in: bucket.id, change)
        if let changed { return changed }
        return try Self.existing(nil, call.key, try call.version())
    }

    func versionField(_ object: ObjectRecord, in bucket: BucketRecord) -> HTTPHeaders {
        bucket.versioning == .off ? [:] : ["x-amz-version-id": VersionName.text(object.version, isNull: object.isNullVersion)]
    }
}
