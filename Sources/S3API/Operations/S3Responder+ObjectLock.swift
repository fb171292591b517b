internal import Core
internal import HTTPEdge
internal import Metadata
internal import NIOCore
internal import NIOHTTP1
internal import ObjectStore

/// Object lock: `?object-lock` of buckets, `?retention` and `?legal-hold` of objects.
extension S3Responder {
    // MARK: Of a bucket

    func getObjectLock(_ call: S3Call) async throws -> HTTPResponse {
        let description = try await bucket(for: call)
        guard description.bucket.isLocking else {
            throw S3Error(.objectLockConfigurationNotFound, "Object Lock configuration does not exist for this bucket")
        }
        return .xml(try ObjectLockConfiguration(document: description.documents[.objectLock]).document)
    }

    func putObjectLock(_ call: S3Call) async throws -> HTTPResponse {
        let bucket = try await bucket(for: call).bucket
        let configuration = try ObjectLockConfiguration(try await call.readXML("ObjectLockConfiguration"))
        guard bucket.versioning == .enabled else {
            throw S3Error(.invalidBucketState, "Versioning must be 'Enabled' on the bucket to apply a Object Lock configuration")
        }
        if !bucket.isLocking { try await store.metadata.enableLocking(of: bucket.id) }
        try await store.metadata.setDocument(.objectLock, of: bucket.id, to: String(buffer: configuration.document))
        return HTTPResponse(status: .ok)
    }

    // MARK: Of what is written

    /// Puts the locks that the header of a write asks for into the attributes of what it makes.
    /// - Throws: ``S3Error`` `InvalidRequest`, `InvalidArgument`.
    func applyLocks(_ call: S3Call, to attributes: inout ObjectAttributes) async throws {
        try ObjectLock.apply(call.headers, to: &attributes, in: try await bucket(for: call).bucket, at: time.now())
    }

    /// What is written without a retention of its own gets that of its bucket, counted from when it is complete.
    func applyDefaultRetention(to attributes: inout ObjectAttributes, _ call: S3Call) async throws {
        let description = try await bucket(for: call)
        guard description.bucket.isLocking, attributes.retention == nil else { return }
        attributes.retention = try ObjectLockConfiguration(document: description.documents[.objectLock]).retention(at: time.now())
    }

    // MARK: Of an object

    func getRetention(_ call: S3Call) async throws -> HTTPResponse {
        guard let retention = try await lockable(call).attributes.retention else {
            throw S3Error(.noSuchObjectLockConfiguration, "The specified object does not have a ObjectLock configuration")
        }
        return .xml(
            XMLWriter.document("Retention") { writer in
                writer.element("Mode", retention.mode.rawValue)
                writer.element("RetainUntilDate", retention.untilText)
            })
    }

    func putRetention(_ call: S3Call) async throws -> HTTPResponse {
        let bucket = try await bucket(for: call).bucket
        guard bucket.isLocking else { throw ObjectLock.notLocking }
        let now = time.now()
        let retention = try ObjectLock.retention(try await call.readXML("Retention"), at: now)
        let bypasses = call.bypassesGovernance(of: call.key)
        let object = try await change(call, in: bucket) { attributes in
            guard ObjectLock.mayChange(attributes.retention, to: retention, at: now, bypassingGovernance: bypasses) else {
                throw S3Error(.accessDenied, "The version is locked: its retention can only be made longer")
            }
            attributes.retention = retention
        }
        return HTTPResponse(status: .ok, headers: versionField(object, in: bucket))
    }

    func getLegalHold(_ call: S3Call) async throws -> HTTPResponse {
        guard let isOn = try await lockable(call).attributes.isOnLegalHold else {
            throw S3Error(.noSuchObjectLockConfiguration, "The specified object does not have a ObjectLock configuration")
        }
        return .xml(XMLWriter.document("LegalHold") { $0.element("Status", isOn ? "ON" : "OFF") })
    }

    func putLegalHold(_ call: S3Call) async throws -> HTTPResponse {
        let bucket = try await bucket(for: call).bucket
        guard bucket.isLocking else { throw ObjectLock.notLocking }
        let isOn = try ObjectLock.legalHold(try await call.readXML("LegalHold"))
        let object = try await change(call, in: bucket) { $0.isOnLegalHold = isOn }
        return HTTPResponse(status: .ok, headers: versionField(object, in: bucket))
    }

    /// The version that a call is about, in a bucket whose objects can be locked.
    /// - Throws: ``S3Error`` `InvalidRequest`, and as ``object(for:)``.
    private func lockable(_ call: S3Call) async throws -> ObjectRecord {
        guard try await bucket(for: call).bucket.isLocking else { throw ObjectLock.notLocking }
        return try object(for: call)
    }
}

extension S3Call {
    /// Whether the caller says that it goes past a retention in governance mode, and may.
    func bypassesGovernance(of key: String) -> Bool {
        headers.first(name: "x-amz-bypass-governance-retention")?.lowercased() == "true" && may(.bypassGovernanceRetention, key)
    }
}
