internal import HTTPEdge
internal import Metadata
internal import NIOHTTP1

/// A request that has been understood: what it is about, who sends it, what it asks for. Whether it may is not decided yet: see
/// ``S3Call``.
struct S3Request {
    let request: HTTPRequest
    let address: Address
    let query: QueryItems
    let operation: S3Operation
    /// The query parameter that names a document, where the operation is about one.
    let document: String?
    let identity: Identity
    let payload: Payload

    /// - Precondition: the operation is about a bucket.
    var bucketName: String {
        guard let bucket = address.bucket else { preconditionFailure("\(operation) is about a bucket") }
        return bucket
    }

    /// - Precondition: the operation is about an object.
    var key: String {
        guard let key = address.key else { preconditionFailure("\(operation) is about an object") }
        return key
    }

    /// Which version the query names.
    /// - Throws: ``S3Error`` `InvalidArgument`.
    func version() throws(S3Error) -> VersionSelector { try VersionName.selector(query["versionId"]) }
}
