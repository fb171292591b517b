internal import Core
internal import HTTPEdge
internal import Metadata
internal import NIOHTTP1
internal import ObjectStore

extension S3Responder {
    /// Objects of one DeleteObjects.
    private static let maximumDeletions = 1_000

    func deleteObject(_ call: S3Call) async throws -> HTTPResponse {
        let bucket = try await bucket(for: call).bucket
        let deletion = try await delete(
            call.key, try call.version(), in: bucket, condition: try Conditions.ofWrite(call.headers), call)
        var headers = HTTPHeaders()
        if let version = deletion.version, bucket.versioning != .off {
            if deletion.isDeleteMarker { headers.add(name: "x-amz-delete-marker", value: "true") }
            headers.add(name: "x-amz-version-id", value: VersionName.text(version.version, isNull: version.isNullVersion))
        }
        return HTTPResponse(status: .noContent, headers: headers)
    }

    func delete(
        _ key: String, _ selector: VersionSelector, in bucket: BucketRecord, condition: WriteCondition, _ call: S3Call
    ) async throws -> Deletion {
        let bypasses = call.bypassesGovernance(of: key)
        // What nobody signed for is the bucket's owner's, as with what is written.
        let owner = call.identity.isAnonymous ? bucket.owner : call.identity.ownerID
        let now = time.now()
        do {
            let deletion = try await store.metadata.delete(
                selector, of: key, in: bucket.id, marker: VersionID(time: now, random: random), owner: owner,
                condition: condition, bypassingGovernance: bypasses, at: now)
            store.noteGarbage()
            return deletion
        } catch MetadataError.noSuchKey {
            // Nothing is there that could be deleted: as good as done.
            return Deletion(version: nil, isDeleteMarker: false)
        }
    }

    func deleteObjects(_ call: S3Call) async throws -> HTTPResponse {
        let bucket = try await bucket(for: call).bucket
        let request = try await call.readXML("Delete")
        let objects = request.all("Object")
        guard (1...Self.maximumDeletions).contains(objects.count) else { throw S3Error(.malformedXML) }
        let isQuiet = request.value("Quiet")?.lowercased() == "true"
        var results: [Result] = []
        for object in objects { results.append(await delete(object, in: bucket, call)) }
        return .xml(
            XMLWriter.document("DeleteResult") { writer in
                for result in results where !isQuiet || result.error != nil { result.write(to: writer) }
            })
    }

    private func delete(_ object: XMLElement, in bucket: BucketRecord, _ call: S3Call) async -> Result {
        let key = object["Key"]?.text ?? ""
        let version = object.value("VersionId").flatMap { $0.isEmpty ? nil : $0 }
        do {
            guard !key.isEmpty else { throw S3Error(.malformedXML) }
            guard key.utf8.count <= Address.maximumKeyBytes else { throw S3Error(.keyTooLong) }
            guard call.may(version == nil ? .deleteObject : .deleteObjectVersion, key) else { throw S3Error(.accessDenied) }
            let condition = try Conditions.ofDeletion(object)
            let deletion = try await delete(key, try VersionName.selector(version), in: bucket, condition: condition, call)
            return Result(key: key, version: version, isVersioned: bucket.versioning != .off, deletion: deletion, error: nil)
        } catch {
            return Result(key: key, version: version, isVersioned: bucket.versioning != .off, deletion: nil, error: S3Error(error))
        }
    }

    private struct Result {
        let key: String
        let version: String?
        let isVersioned: Bool
        let deletion: Deletion?
        let error: S3Error?

        func write(to writer: borrowing XMLWriter) {
            writer.element(error == nil ? "Deleted" : "Error") { writer in
                writer.element("Key", key)
                writer.optional("VersionId", version)
                if let error {
                    writer.element("Code", error.code.rawValue)
                    writer.element("Message", error.message)
                }
                guard isVersioned, let deletion, deletion.isDeleteMarker, let marker = deletion.version else { return }
                writer.element("DeleteMarker", true)
                writer.element("DeleteMarkerVersionId", VersionName.text(marker.version, isNull: marker.isNullVersion))
            }
        }
    }
}
