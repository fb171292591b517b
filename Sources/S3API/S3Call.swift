internal import Core
internal import HTTPEdge
internal import Metadata
internal import NIOCore
internal import NIOHTTP1

/// A request that has been admitted: what it asks for may be done. See ``S3Responder/admit(_:)``.
struct S3Call {
    /// Bytes of a document that a client sends.
    static let maximumDocumentBytes = 4 * 1_024 * 1_024

    let asked: S3Request
    let access: Access

    var request: HTTPRequest { asked.request }
    var address: Address { asked.address }
    var query: QueryItems { asked.query }
    var operation: S3Operation { asked.operation }
    var document: String? { asked.document }
    var identity: Identity { asked.identity }
    var payload: Payload { asked.payload }
    var headers: HTTPHeaders { asked.request.headers }
    /// - Precondition: the operation is about a bucket.
    var bucketName: String { asked.bucketName }
    /// - Precondition: the operation is about an object.
    var key: String { asked.key }
    /// Which version the query names.
    /// - Throws: ``S3Error`` `InvalidArgument`.
    func version() throws(S3Error) -> VersionSelector { try asked.version() }

    /// The document that the client sends, checked against the digests that come with it.
    /// - Parameter checksNothing: for CompleteMultipartUpload, whose checksum fields are about the object.
    /// - Throws: ``S3Error``.
    func readDocument(ignoringChecksum: Bool = false, maximum: Int = S3Call.maximumDocumentBytes) async throws -> ByteBuffer {
        let body = try ObjectBody(request, payload: payload, maximum: Int64(maximum))
        var headers = request.headers
        if ignoringChecksum {
            for algorithm in ChecksumAlgorithm.allCases { headers.remove(name: "x-amz-checksum-\(algorithm.rawValue)") }
            headers.remove(name: "x-amz-sdk-checksum-algorithm")
        }
        let checks = try ContentChecks(headers, payload: payload)
        var digest = ContentDigest(algorithms: checks.algorithms)
        var document = ByteBuffer()
        for try await var bytes in body {
            digest.update(bytes)
            document.writeBuffer(&bytes)
        }
        _ = try checks.verify(digest, trailer: body.trailer)
        return document
    }

    /// - Throws: ``S3Error`` `MalformedXML`.
    func readXML(
        _ root: String, ignoringChecksum: Bool = false, maximum: Int = S3Call.maximumDocumentBytes
    ) async throws -> XMLElement {
        let element = try XMLElement.parse(try await readDocument(ignoringChecksum: ignoringChecksum, maximum: maximum))
        guard element.name == root else { throw S3Error(.malformedXML) }
        return element
    }
}

/// How S3 writes the name of a version.
enum VersionName {
    static func text(_ version: VersionID, isNull: Bool) -> String { isNull ? "null" : version.description }

    /// - Throws: ``S3Error`` `InvalidArgument` for what names no version.
    static func selector(_ text: String?) throws(S3Error) -> VersionSelector {
        guard let text else { return .latest }
        if text == "null" { return .null }
        guard let version = VersionID(text) else { throw S3Error(.invalidArgument, "Invalid version id specified") }
        return .named(version)
    }
}

extension HTTPResponse {
    static func xml(_ document: ByteBuffer, status: HTTPResponseStatus = .ok, headers: HTTPHeaders = [:]) -> HTTPResponse {
        var headers = headers
        headers.replaceOrAdd(name: "Content-Type", value: "application/xml")
        return HTTPResponse(status: status, headers: headers, body: .bytes(document))
    }
}
