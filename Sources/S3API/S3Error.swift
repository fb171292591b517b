internal import NIOHTTP1

/// A refusal in S3's own terms: what clients of S3 look at is ``Code``. Its codes and statuses are those of "Error responses" in the S3
/// API reference.
struct S3Error: Error, Hashable {
    let code: Code
    /// For people.
    let message: String
    /// Further elements of the document, for example `Key`.
    var details: [Detail] = []
    /// Further fields of the header.
    var fields: [Detail] = []

    struct Detail: Hashable {
        let name: String
        let value: String
    }

    init(_ code: Code, _ message: String? = nil, details: [Detail] = [], fields: [Detail] = []) {
        self.code = code
        self.message = message ?? code.standardMessage
        self.details = details
        self.fields = fields
    }

    enum Code: String, CaseIterable {
        case accessControlListNotSupported = "AccessControlListNotSupported"
        case accessDenied = "AccessDenied"
        case accessForbidden = "AccessForbidden"
        case accountProblem = "AccountProblem"
        case authorizationHeaderMalformed = "AuthorizationHeaderMalformed"
        case authorizationQueryParametersError = "AuthorizationQueryParametersError"
        case badDigest = "BadDigest"
        case badRequest = "BadRequest"
        case bucketAlreadyExists = "BucketAlreadyExists"
        case bucketAlreadyOwnedByYou = "BucketAlreadyOwnedByYou"
        case bucketNotEmpty = "BucketNotEmpty"
        case entityTooLarge = "EntityTooLarge"
        case entityTooSmall = "EntityTooSmall"
        case expiredToken = "ExpiredToken"
        case illegalVersioningConfiguration = "IllegalVersioningConfigurationException"
        case incompleteBody = "IncompleteBody"
        case internalError = "InternalError"
        case invalidAccessKeyId = "InvalidAccessKeyId"
        case invalidArgument = "InvalidArgument"
        case invalidBucketAclWithObjectOwnership = "InvalidBucketAclWithObjectOwnership"
        case invalidBucketName = "InvalidBucketName"
        case invalidBucketState = "InvalidBucketState"
        case invalidDigest = "InvalidDigest"
        case invalidEncryptionAlgorithm = "InvalidEncryptionAlgorithmError"
        case invalidLocationConstraint = "InvalidLocationConstraint"
        case invalidObjectState = "InvalidObjectState"
        case invalidPart = "InvalidPart"
        case invalidPartNumber = "InvalidPartNumber"
        case invalidPartOrder = "InvalidPartOrder"
        case invalidPolicyDocument = "InvalidPolicyDocument"
        case invalidRange = "InvalidRange"
        case invalidRequest = "InvalidRequest"
        case invalidRetentionPeriod = "InvalidRetentionPeriod"
        case invalidStorageClass = "InvalidStorageClass"
        case invalidTag = "InvalidTag"
        case invalidURI = "InvalidURI"
        case keyTooLong = "KeyTooLongError"
        case kmsNotFound = "KMS.NotFoundException"
        case malformedACL = "MalformedACLError"
        case malformedPolicy = "MalformedPolicy"
        case malformedPOSTRequest = "MalformedPOSTRequest"
        case malformedXML = "MalformedXML"
        case maxMessageLengthExceeded = "MaxMessageLengthExceeded"
        case maxPostPreDataLengthExceeded = "MaxPostPreDataLengthExceededError"
        case metadataTooLarge = "MetadataTooLarge"
        case methodNotAllowed = "MethodNotAllowed"
        case missingContentLength = "MissingContentLength"
        case missingSecurityHeader = "MissingSecurityHeader"
        case noSuchBucket = "NoSuchBucket"
        case noSuchBucketPolicy = "NoSuchBucketPolicy"
        case noSuchCORSConfiguration = "NoSuchCORSConfiguration"
        case noSuchKey = "NoSuchKey"
        case noSuchLifecycleConfiguration = "NoSuchLifecycleConfiguration"
        case noSuchObjectLockConfiguration = "NoSuchObjectLockConfiguration"
        case noSuchPublicAccessBlockConfiguration = "NoSuchPublicAccessBlockConfiguration"
        case noSuchTagSet = "NoSuchTagSet"
        case noSuchUpload = "NoSuchUpload"
        case noSuchVersion = "NoSuchVersion"
        case noSuchWebsiteConfiguration = "NoSuchWebsiteConfiguration"
        case notImplemented = "NotImplemented"
        case notModified = "NotModified"
        case objectLockConfigurationNotFound = "ObjectLockConfigurationNotFoundError"
        case ownershipControlsNotFound = "OwnershipControlsNotFoundError"
        case preconditionFailed = "PreconditionFailed"
        case requestTimeTooSkewed = "RequestTimeTooSkewed"
        case requestTimeout = "RequestTimeout"
        case serverSideEncryptionConfigurationNotFound = "ServerSideEncryptionConfigurationNotFoundError"
        case serviceUnavailable = "ServiceUnavailable"
        case signatureDoesNotMatch = "SignatureDoesNotMatch"
        case slowDown = "SlowDown"
        case tooManyBuckets = "TooManyBuckets"
        case unresolvableGrantByEmailAddress = "UnresolvableGrantByEmailAddress"
        case xAmzContentSHA256Mismatch = "XAmzContentSHA256Mismatch"

        var status: HTTPResponseStatus {
            switch self {
            case .accessDenied, .accessForbidden, .accountProblem, .invalidAccessKeyId, .invalidObjectState, .requestTimeTooSkewed,
                .signatureDoesNotMatch:
                .forbidden
            case .noSuchBucket, .noSuchBucketPolicy, .noSuchCORSConfiguration, .noSuchKey, .noSuchLifecycleConfiguration,
                .noSuchObjectLockConfiguration, .noSuchPublicAccessBlockConfiguration, .noSuchTagSet, .noSuchUpload, .noSuchVersion,
                .noSuchWebsiteConfiguration, .objectLockConfigurationNotFound, .ownershipControlsNotFound,
                .serverSideEncryptionConfigurationNotFound:
                .notFound
            case .bucketAlreadyExists, .bucketAlreadyOwnedByYou, .bucketNotEmpty, .invalidBucketState: .conflict
            case .methodNotAllowed: .methodNotAllowed
            case .missingContentLength: .lengthRequired
            case .notImplemented: .notImplemented
            case .notModified: .notModified
            case .preconditionFailed: .preconditionFailed
            case .invalidPartNumber, .invalidRange: .rangeNotSatisfiable
            case .internalError: .internalServerError
            case .serviceUnavailable, .slowDown: .serviceUnavailable
            default: .badRequest
            }
        }

        /// What AWS says, where it says something better than the code does.
        var standardMessage: String {
            switch self {
            case .accessControlListNotSupported: "The bucket does not allow ACLs"
            case .accessDenied: "Access Denied"
            case .badDigest: "The digest that you sent is not that of what arrived"
            case .bucketAlreadyExists: "The requested bucket name is not available"
            case .bucketAlreadyOwnedByYou: "You own a bucket of that name already"
            case .bucketNotEmpty: "The bucket that you tried to delete is not empty"
            case .entityTooLarge: "Your upload is larger than allowed"
            case .entityTooSmall: "A part other than the last is smaller than allowed"
            case .incompleteBody: "Fewer bytes arrived than the request announced"
            case .internalError: "The server failed"
            case .invalidAccessKeyId: "The access key does not exist here"
            case .invalidBucketAclWithObjectOwnership:
                "The bucket's access control list grants something to others: ObjectOwnership cannot be BucketOwnerEnforced"
            case .invalidBucketName: "The bucket's name is not valid"
            case .invalidDigest: "The digest is not well formed"
            case .invalidPart: "A part was not found, or has another entity tag"
            case .invalidPartOrder: "The parts are not in ascending order"
            case .invalidRange: "The range cannot be satisfied"
            case .keyTooLong: "The key is too long"
            case .malformedXML: "The document is not well formed, or not what is expected here"
            case .methodNotAllowed: "The method is not allowed for this resource"
            case .missingContentLength: "The request needs a Content-Length"
            case .noSuchBucket: "The bucket does not exist"
            case .noSuchKey: "The key does not exist"
            case .noSuchUpload: "The upload does not exist: it was completed or aborted, or never begun"
            case .noSuchVersion: "The version does not exist"
            case .notImplemented: "This is not implemented"
            case .preconditionFailed: "A precondition of the request does not hold"
            case .requestTimeTooSkewed: "The request's time and the server's are too far apart"
            case .requestTimeout: "The body of the request stopped arriving"
            case .serviceUnavailable: "The store cannot do this at the moment: try again"
            case .signatureDoesNotMatch:
                "The signature is not the one that this server computes: look at the secret key and the method of signing"
            case .slowDown: "Too many requests are being worked on: try again"
            case .xAmzContentSHA256Mismatch: "The x-amz-content-sha256 is not that of what arrived"
            default: rawValue
            }
        }
    }
}
