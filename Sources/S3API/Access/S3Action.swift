/// What may be allowed or refused. The raw value is the name that S3's policies use ("Actions, resources, and condition keys for
/// Amazon S3").
enum S3Action: String, CaseIterable {
    // A bucket.
    case deleteBucket = "s3:DeleteBucket"
    case listBucket = "s3:ListBucket"
    case listBucketVersions = "s3:ListBucketVersions"
    case listBucketMultipartUploads = "s3:ListBucketMultipartUploads"
    case getBucketLocation = "s3:GetBucketLocation"
    case getBucketAcl = "s3:GetBucketAcl"
    case putBucketAcl = "s3:PutBucketAcl"
    case getBucketPolicy = "s3:GetBucketPolicy"
    case putBucketPolicy = "s3:PutBucketPolicy"
    case deleteBucketPolicy = "s3:DeleteBucketPolicy"
    case getBucketPolicyStatus = "s3:GetBucketPolicyStatus"
    case getBucketPublicAccessBlock = "s3:GetBucketPublicAccessBlock"
    case putBucketPublicAccessBlock = "s3:PutBucketPublicAccessBlock"
    case getBucketOwnershipControls = "s3:GetBucketOwnershipControls"
    case putBucketOwnershipControls = "s3:PutBucketOwnershipControls"
    case getBucketCORS = "s3:GetBucketCORS"
    case putBucketCORS = "s3:PutBucketCORS"
    case getBucketVersioning = "s3:GetBucketVersioning"
    case putBucketVersioning = "s3:PutBucketVersioning"
    case getBucketTagging = "s3:GetBucketTagging"
    case putBucketTagging = "s3:PutBucketTagging"
    case getLifecycleConfiguration = "s3:GetLifecycleConfiguration"
    case putLifecycleConfiguration = "s3:PutLifecycleConfiguration"
    case getEncryptionConfiguration = "s3:GetEncryptionConfiguration"
    case putEncryptionConfiguration = "s3:PutEncryptionConfiguration"
    case getBucketObjectLockConfiguration = "s3:GetBucketObjectLockConfiguration"
    case putBucketObjectLockConfiguration = "s3:PutBucketObjectLockConfiguration"
    // An object.
    case getObject = "s3:GetObject"
    case getObjectVersion = "s3:GetObjectVersion"
    case getObjectAttributes = "s3:GetObjectAttributes"
    case getObjectVersionAttributes = "s3:GetObjectVersionAttributes"
    case putObject = "s3:PutObject"
    case deleteObject = "s3:DeleteObject"
    case deleteObjectVersion = "s3:DeleteObjectVersion"
    case abortMultipartUpload = "s3:AbortMultipartUpload"
    case listMultipartUploadParts = "s3:ListMultipartUploadParts"
    case getObjectAcl = "s3:GetObjectAcl"
    case getObjectVersionAcl = "s3:GetObjectVersionAcl"
    case putObjectAcl = "s3:PutObjectAcl"
    case putObjectVersionAcl = "s3:PutObjectVersionAcl"
    case getObjectTagging = "s3:GetObjectTagging"
    case getObjectVersionTagging = "s3:GetObjectVersionTagging"
    case putObjectTagging = "s3:PutObjectTagging"
    case putObjectVersionTagging = "s3:PutObjectVersionTagging"
    case deleteObjectTagging = "s3:DeleteObjectTagging"
    case deleteObjectVersionTagging = "s3:DeleteObjectVersionTagging"
    case getObjectRetention = "s3:GetObjectRetention"
    case putObjectRetention = "s3:PutObjectRetention"
    case getObjectLegalHold = "s3:GetObjectLegalHold"
    case putObjectLegalHold = "s3:PutObjectLegalHold"
    case bypassGovernanceRetention = "s3:BypassGovernanceRetention"

    /// The grant of an access control list that stands for it; nil when no grant does ("Mapping of ACL permissions and access policy
    /// permissions").
    var grant: (list: ListKind, permission: Permission)? {
        switch self {
        case .listBucket, .listBucketVersions, .listBucketMultipartUploads: (.bucket, .read)
        case .putObject, .deleteObject: (.bucket, .write)
        case .getBucketAcl: (.bucket, .readAccessControl)
        case .putBucketAcl: (.bucket, .writeAccessControl)
        case .getObject, .getObjectVersion, .getObjectAttributes, .getObjectVersionAttributes: (.object, .read)
        case .getObjectAcl, .getObjectVersionAcl: (.object, .readAccessControl)
        case .putObjectAcl, .putObjectVersionAcl: (.object, .writeAccessControl)
        default: nil
        }
    }

    /// Whose list.
    enum ListKind { case bucket, object }

    /// Whether it is the owner of the object, rather than that of its bucket, who may do it unasked.
    var belongsToObjectOwner: Bool { grant?.list == .object }

    /// Whether the owner of a bucket may do it whatever the policy says: else a policy could never be taken back.
    var isAboutPolicy: Bool { self == .getBucketPolicy || self == .putBucketPolicy || self == .deleteBucketPolicy }

    /// Whether it reads or writes an object's access control list.
    var isAboutObjectAccessControl: Bool {
        switch self {
        case .getObjectAcl, .getObjectVersionAcl, .putObjectAcl, .putObjectVersionAcl: true
        default: false
        }
    }

    /// Whether it is about an upload of parts, which its initiator may end.
    var isAboutUpload: Bool { self == .abortMultipartUpload || self == .listMultipartUploadParts }
}
