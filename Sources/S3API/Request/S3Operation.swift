internal import HTTPEdge
internal import NIOHTTP1

/// What a request asks for. The raw value is the name that S3 gives the operation.
enum S3Operation: String, CaseIterable {
    // The service.
    case listBuckets = "ListBuckets"
    // A bucket.
    case createBucket = "CreateBucket"
    case headBucket = "HeadBucket"
    case deleteBucket = "DeleteBucket"
    case getBucketLocation = "GetBucketLocation"
    case listObjects = "ListObjects"
    case listObjectsV2 = "ListObjectsV2"
    case listObjectVersions = "ListObjectVersions"
    case listMultipartUploads = "ListMultipartUploads"
    case deleteObjects = "DeleteObjects"
    case postObject = "PostObject"
    case getBucketDocument = "GetBucketDocument"
    case putBucketDocument = "PutBucketDocument"
    case deleteBucketDocument = "DeleteBucketDocument"
    // An object.
    case putObject = "PutObject"
    case copyObject = "CopyObject"
    case getObject = "GetObject"
    case headObject = "HeadObject"
    case deleteObject = "DeleteObject"
    case getObjectAttributes = "GetObjectAttributes"
    case getObjectDocument = "GetObjectDocument"
    case putObjectDocument = "PutObjectDocument"
    case deleteObjectDocument = "DeleteObjectDocument"
    case createMultipartUpload = "CreateMultipartUpload"
    case uploadPart = "UploadPart"
    case uploadPartCopy = "UploadPartCopy"
    case listParts = "ListParts"
    case completeMultipartUpload = "CompleteMultipartUpload"
    case abortMultipartUpload = "AbortMultipartUpload"
    case optionsRequest = "Preflight"

    /// Query parameters that name a part of a bucket or an object other than its content, and are served as documents.
    static let bucketDocuments: Set<String> = [
        "acl", "policy", "policyStatus", "cors", "lifecycle", "versioning", "tagging", "encryption", "object-lock", "publicAccessBlock",
        "ownershipControls",
    ]
    static let objectDocuments: Set<String> = ["acl", "tagging", "retention", "legal-hold"]
    /// Those that S3 has and this server has not.
    static let unknownDocuments: Set<String> = [
        "abac", "accelerate", "analytics", "annotation", "intelligent-tiering", "inventory", "logging", "metadataAnnotationTable",
        "metadataConfiguration", "metadataInventoryTable", "metadataJournalTable", "metadataTable", "metrics", "notification",
        "renameObject", "replication", "requestPayment", "restore", "select", "session", "torrent", "website",
    ]

    /// - Returns: the operation, and the query parameter that names a document.
    /// - Throws: ``S3Error`` `MethodNotAllowed`, `NotImplemented`.
    static func resolve(
        _ method: HTTPMethod, _ address: Address, query: QueryItems, headers: HTTPHeaders
    ) throws(S3Error) -> (S3Operation, document: String?) {
        if method == .OPTIONS { return (.optionsRequest, nil) }
        if let name = query.items.first(where: { unknownDocuments.contains($0.name) })?.name {
            throw S3Error(.notImplemented, "\(name) is not implemented")
        }
        if let name = unknownSubresource(method, query) { throw S3Error(.notImplemented, "\(name) is not implemented") }
        if query["x-id"] == "ListDirectoryBuckets" { throw S3Error(.notImplemented) }
        guard address.bucket != nil else {
            guard method == .GET else { throw S3Error(method == .POST ? .notImplemented : .methodNotAllowed) }
            return (.listBuckets, nil)
        }
        return try address.key == nil ? ofBucket(method, query) : ofObject(method, query, headers)
    }

    /// Parameters without a value that say of a write what it writes.
    private static let writtenSubresources = bucketDocuments.union(objectDocuments).union(["delete", "uploads"])

    /// What S3 may have by now, and this server has not: taken for the plain operation it would be a wrong success, which overwrites
    /// an object or deletes it.
    private static func unknownSubresource(_ method: HTTPMethod, _ query: QueryItems) -> String? {
        guard method != .GET, method != .HEAD else { return nil }
        return query.items.first { item in
            item.value.isEmpty && !writtenSubresources.contains(item.name) && item.name != "versionId"
                // What signs, and what asks for headers of the answer, may be empty.
                && !["x-", "response-"].contains { item.name.lowercased().hasPrefix($0) }
        }?
        .name
    }

    private static func ofBucket(_ method: HTTPMethod, _ query: QueryItems) throws(S3Error) -> (S3Operation, document: String?) {
        if let document = query.items.first(where: { bucketDocuments.contains($0.name) })?.name {
            switch method {
            case .GET: return (.getBucketDocument, document)
            case .PUT: return (.putBucketDocument, document)
            case .DELETE: return (.deleteBucketDocument, document)
            default: throw S3Error(.methodNotAllowed)
            }
        }
        if method == .PUT || method == .DELETE, let name = query.items.first(where: { objectDocuments.contains($0.name) })?.name {
            throw S3Error(.notImplemented, "\(name) of a bucket is not implemented")
        }
        switch method {
        case .GET where query.has("location"): return (.getBucketLocation, nil)
        case .GET where query.has("versions"): return (.listObjectVersions, nil)
        case .GET where query.has("uploads"): return (.listMultipartUploads, nil)
        case .GET: return (query["list-type"] == "2" ? .listObjectsV2 : .listObjects, nil)
        case .PUT: return (.createBucket, nil)
        case .HEAD: return (.headBucket, nil)
        case .DELETE: return (.deleteBucket, nil)
        case .POST: return (query.has("delete") ? .deleteObjects : .postObject, nil)
        default: throw S3Error(.methodNotAllowed)
        }
    }

    private static func ofObject(
        _ method: HTTPMethod, _ query: QueryItems, _ headers: HTTPHeaders
    ) throws(S3Error) -> (S3Operation, document: String?) {
        if let document = query.items.first(where: { objectDocuments.contains($0.name) })?.name {
            switch method {
            case .GET: return (.getObjectDocument, document)
            case .PUT: return (.putObjectDocument, document)
            case .DELETE where document == "tagging": return (.deleteObjectDocument, document)
            default: throw S3Error(.methodNotAllowed)
            }
        }
        if method == .PUT || method == .DELETE, let name = query.items.first(where: { bucketDocuments.contains($0.name) })?.name {
            throw S3Error(.notImplemented, "\(name) of an object is not implemented")
        }
        let isCopy = headers.contains(name: "x-amz-copy-source")
        switch method {
        case .GET where query.has("uploadId"): return (.listParts, nil)
        case .GET where query.has("attributes"): return (.getObjectAttributes, nil)
        case .GET: return (.getObject, nil)
        case .HEAD: return (.headObject, nil)
        case .PUT where query.has("uploadId") || query.has("partNumber"): return (isCopy ? .uploadPartCopy : .uploadPart, nil)
        case .PUT: return (isCopy ? .copyObject : .putObject, nil)
        case .DELETE where query.has("uploadId"): return (.abortMultipartUpload, nil)
        case .DELETE: return (.deleteObject, nil)
        case .POST where query.has("uploads"): return (.createMultipartUpload, nil)
        case .POST where query.has("uploadId"): return (.completeMultipartUpload, nil)
        default: throw S3Error(.methodNotAllowed)
        }
    }
}
