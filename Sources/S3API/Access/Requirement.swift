internal import NIOHTTP1

/// What a request needs before it is served.
enum Requirement {
    /// Any account, and no bucket that is there already.
    case account
    /// A bucket that exists; whoever asks is found out, and asked for his rights, once more of its form is known.
    case existingBucket
    case rights(Rights)

    struct Rights {
        /// Every one of these must be allowed. The first says what the request is.
        let actions: [S3Action]
        /// None of these may be refused by the policy.
        var mustNotBeDenied: [S3Action] = []
        let subject: Subject
    }

    /// What must be known of the subject to decide.
    enum Subject {
        case bucket
        /// A key, whatever it holds.
        case key
        /// A version that exists.
        case version
        case upload
        /// Keys that the body names: each is decided about on its own. Whoever could be allowed none of them is refused before it is read.
        case keys
    }
}

extension S3Operation {
    /// - Throws: ``S3Error`` `NotImplemented` for a document that is not known here.
    func requirement(_ document: String?, _ headers: HTTPHeaders, _ query: QueryItems) throws(S3Error) -> Requirement {
        let isVersion = query.has("versionId")
        switch self {
        case .listBuckets, .createBucket: return .account
        case .postObject, .optionsRequest: return .existingBucket
        case .headBucket, .listObjects, .listObjectsV2: return .bucket(.listBucket)
        case .deleteBucket: return .bucket(.deleteBucket)
        case .getBucketLocation: return .bucket(.getBucketLocation)
        case .listObjectVersions: return .bucket(.listBucketVersions)
        case .listMultipartUploads: return .bucket(.listBucketMultipartUploads)
        case .getBucketDocument: return .bucket(try Self.readingBucket(document))
        case .putBucketDocument: return .bucket(try Self.writingBucket(document))
        case .deleteBucketDocument: return .bucket(try Self.clearingBucket(document))
        case .deleteObjects: return .rights(.init(actions: [.deleteObject], subject: .keys))
        case .deleteObject: return .rights(.init(actions: [isVersion ? .deleteObjectVersion : .deleteObject], subject: .key))
        case .putObject, .copyObject, .createMultipartUpload: return .rights(Self.writing(headers))
        case .uploadPart, .uploadPartCopy, .completeMultipartUpload: return .rights(.init(actions: [.putObject], subject: .key))
        case .listParts: return .rights(.init(actions: [.listMultipartUploadParts], subject: .upload))
        case .abortMultipartUpload: return .rights(.init(actions: [.abortMultipartUpload], subject: .upload))
        case .getObject, .headObject: return .version(isVersion ? .getObjectVersion : .getObject)
        case .getObjectAttributes:
            return isVersion ? .version(.getObjectVersion, .getObjectVersionAttributes) : .version(.getObject, .getObjectAttributes)
        case .getObjectDocument: return .version(try Self.readingObject(document, isVersion))
        case .putObjectDocument: return .version(try Self.writingObject(document, isVersion))
        case .deleteObjectDocument: return .version(isVersion ? .deleteObjectVersionTagging : .deleteObjectTagging)
        }
    }

    /// Whoever says more of the object than its content must be allowed to say it. Who it shall belong to, or be shown to, is part of
    /// writing an object, unless the policy refuses it.
    private static func writing(_ headers: HTTPHeaders) -> Requirement.Rights {
        var rights: [S3Action] = [.putObject]
        if headers.first(name: "x-amz-tagging")?.isEmpty == false { rights.append(.putObjectTagging) }
        if headers.contains(name: "x-amz-object-lock-mode") || headers.contains(name: "x-amz-object-lock-retain-until-date") {
            rights.append(.putObjectRetention)
        }
        if headers.contains(name: "x-amz-object-lock-legal-hold") { rights.append(.putObjectLegalHold) }
        return .init(actions: rights, mustNotBeDenied: GrantHeaders.arePresent(in: headers) ? [.putObjectAcl] : [], subject: .key)
    }

    private static func readingBucket(_ document: String?) throws(S3Error) -> S3Action {
        switch document {
        case "acl": .getBucketAcl
        case "policy": .getBucketPolicy
        case "policyStatus": .getBucketPolicyStatus
        case "cors": .getBucketCORS
        case "lifecycle": .getLifecycleConfiguration
        case "versioning": .getBucketVersioning
        case "tagging": .getBucketTagging
        case "encryption": .getEncryptionConfiguration
        case "object-lock": .getBucketObjectLockConfiguration
        case "publicAccessBlock": .getBucketPublicAccessBlock
        case "ownershipControls": .getBucketOwnershipControls
        default: throw S3Error(.notImplemented)
        }
    }

    private static func writingBucket(_ document: String?) throws(S3Error) -> S3Action {
        switch document {
        case "acl": .putBucketAcl
        case "policy": .putBucketPolicy
        case "policyStatus": throw S3Error(.methodNotAllowed)
        case "cors": .putBucketCORS
        case "lifecycle": .putLifecycleConfiguration
        case "versioning": .putBucketVersioning
        case "tagging": .putBucketTagging
        case "encryption": .putEncryptionConfiguration
        case "object-lock": .putBucketObjectLockConfiguration
        case "publicAccessBlock": .putBucketPublicAccessBlock
        case "ownershipControls": .putBucketOwnershipControls
        default: throw S3Error(.notImplemented)
        }
    }

    /// To remove is to write, but for the policy.
    private static func clearingBucket(_ document: String?) throws(S3Error) -> S3Action {
        switch document {
        case "policy": .deleteBucketPolicy
        case "acl", "versioning", "object-lock": throw S3Error(.methodNotAllowed)
        default: try writingBucket(document)
        }
    }

    private static func readingObject(_ document: String?, _ isVersion: Bool) throws(S3Error) -> S3Action {
        switch document {
        case "acl": isVersion ? .getObjectVersionAcl : .getObjectAcl
        case "tagging": isVersion ? .getObjectVersionTagging : .getObjectTagging
        case "retention": .getObjectRetention
        case "legal-hold": .getObjectLegalHold
        default: throw S3Error(.notImplemented)
        }
    }

    private static func writingObject(_ document: String?, _ isVersion: Bool) throws(S3Error) -> S3Action {
        switch document {
        case "acl": isVersion ? .putObjectVersionAcl : .putObjectAcl
        case "tagging": isVersion ? .putObjectVersionTagging : .putObjectTagging
        case "retention": .putObjectRetention
        case "legal-hold": .putObjectLegalHold
        default: throw S3Error(.notImplemented)
        }
    }
}

extension Requirement {
    fileprivate static func bucket(_ action: S3Action) -> Requirement { .rights(.init(actions: [action], subject: .bucket)) }

    fileprivate static func version(_ actions: S3Action...) -> Requirement { .rights(.init(actions: actions, subject: .version)) }
}
