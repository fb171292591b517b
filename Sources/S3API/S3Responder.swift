public import Core
public import HTTPEdge
public import Logging
internal import Metadata
internal import NIOCore
internal import NIOHTTP1
public import ObjectStore

/// What the S3 API needs to know from its configuration.
public struct S3Settings: Sendable {
    /// What the server reports as its region; any region is accepted in a signature.
    public var region = "us-east-1"
    /// Names under which `BUCKET.NAME` is a bucket.
    public var domains: [String] = []
    /// The root account's key; nil: nobody can sign as root.
    public var rootKey: (accessKey: String, secretKey: String)?
    /// Bytes of an object that is sent in one request, and of a part.
    public var maximumPutBytes: Int64 = 5 * 1_024 * 1_024 * 1_024
    /// Bytes that a part other than the last must have.
    public var minimumPartBytes: Int64 = 5 * 1_024 * 1_024
    /// For encryption at rest.
    public var encryption = EncryptionKeys()

    public init() {}
}

/// Answers requests of the S3 API. Stands in front of no router: keys may be anything, so the request's target is taken as it came.
public struct S3Responder: HTTPResponder {
    let store: ObjectStore
    let settings: S3Settings
    let time: any TimeSource
    let random: any RandomSource
    let authenticator: Authenticator
    let policies = PolicyCache()
    let lifecycles = DocumentCache<LifecycleConfiguration>()
    let keyRing: KeyRing

    public init(store: ObjectStore, settings: S3Settings, time: any TimeSource, random: any RandomSource, logger: Logger) {
        self.store = store
        self.settings = settings
        self.time = time
        self.random = random
        authenticator = Authenticator(root: settings.rootKey, keys: store.metadata, time: time)
        keyRing = KeyRing(settings.encryption, notes: MasterKeyNotes(store.metadata), executor: store.digestExecutor, logger: logger)
    }

    public func respond(to request: HTTPRequest) async throws -> HTTPResponse {
        let query = try QueryItems(request.target.query)
        let address = try Address(request.target, host: request.headers.first(name: "host"), domains: settings.domains)
        let (operation, document) = try S3Operation.resolve(request.method, address, query: query, headers: request.headers)
        let crossOrigin: HTTPHeaders
        do {
            // A preflight is answered by the rules themselves.
            crossOrigin = operation == .optionsRequest ? [:] : try await crossOriginFields(request, address)
        } catch {
            throw S3OperationError(operation: operation, error: error)
        }
        do {
            let authentication = try await authenticate(request, operation, query, address)
            let asked = S3Request(
                request: request, address: address, query: query, operation: operation, document: document,
                identity: authentication.identity, payload: authentication.payload)
            var response = try await answer(asked)
            response.route = operation.rawValue
            response.headers.add(contentsOf: crossOrigin)
            return Self.finished(response, id: request.id)
        } catch {
            throw S3OperationError(operation: operation, error: error, crossOrigin: crossOrigin)
        }
    }

    /// What is read is kept while it is being sent, whoever overwrites or deletes it meanwhile.
    func answer(_ asked: S3Request) async throws -> HTTPResponse {
        guard asked.operation == .getObject else { return try await perform(try await admit(asked)) }
        return try await store.lookingUp { try await perform(try await admit(asked)) }
    }

    /// Nobody signs a preflight: what stands in its URL is the signature of the request that it asks for.
    private func authenticate(
        _ request: HTTPRequest, _ operation: S3Operation, _ query: QueryItems, _ address: Address
    ) async throws -> Authenticator.Result {
        guard operation != .optionsRequest else { return Authenticator.Result(identity: .anonymous, payload: .unsigned) }
        return try await authenticator.authenticate(
            request, query: query, bucketInHost: address.isInHost ? address.bucket : nil)
    }

    public func response(to error: any Error, for request: FailedRequest) -> HTTPResponse {
        if let failure = error as? S3OperationError {
            var response = self.response(to: failure.error, for: request)
            response.route = failure.operation.rawValue
            response.headers.add(contentsOf: failure.crossOrigin)
            return response
        }
        let error = S3Error(error)
        var headers = HTTPHeaders()
        for field in error.fields { headers.add(name: field.name, value: field.value) }
        if error.code == .notModified { return Self.finished(HTTPResponse(status: .notModified, headers: headers), id: request.id) }
        let document = XMLWriter.document("Error", namespace: nil) { error.write(to: $0, resource: request.target?.path, id: request.id) }
        return Self.finished(.xml(document, status: error.code.status, headers: headers), id: request.id)
    }

    private static func finished(_ response: HTTPResponse, id: String) -> HTTPResponse {
        var response = response
        response.headers.replaceOrAdd(name: "x-amz-request-id", value: id)
        return response
    }

    private func perform(_ call: S3Call) async throws -> HTTPResponse {
        switch call.operation {
        case .listBuckets: try await listBuckets(call)
        case .createBucket: try await createBucket(call)
        case .headBucket: try await headBucket(call)
        case .deleteBucket: try await deleteBucket(call)
        case .getBucketLocation: try await bucketLocation(call)
        case .listObjects, .listObjectsV2: try await listObjects(call)
        case .listObjectVersions: try await listVersions(call)
        case .listMultipartUploads: try await listUploads(call)
        case .deleteObjects: try await deleteObjects(call)
        case .getBucketDocument: try await getBucketDocument(call)
        case .putBucketDocument: try await putBucketDocument(call)
        case .deleteBucketDocument: try await deleteBucketDocument(call)
        case .putObject: try await putObject(call)
        case .copyObject: try await copyObject(call)
        case .getObject, .headObject: try await getObject(call)
        case .deleteObject: try await deleteObject(call)
        case .getObjectDocument: try await getObjectDocument(call)
        case .putObjectDocument: try await putObjectDocument(call)
        case .deleteObjectDocument: try await deleteObjectDocument(call)
        case .createMultipartUpload: try await createUpload(call)
        case .uploadPart: try await uploadPart(call)
        case .uploadPartCopy: try await uploadPartCopy(call)
        case .listParts: try await listParts(call)
        case .completeMultipartUpload: try await completeUpload(call)
        case .abortMultipartUpload: try await abortUpload(call)
        case .getObjectAttributes: try await getObjectAttributes(call)
        case .optionsRequest: try await preflight(call)
        case .postObject: try await postObject(call)
        }
    }
}

/// What an operation threw, and which.
struct S3OperationError: Error, CustomStringConvertible {
    let operation: S3Operation
    let error: any Error
    /// What the error's answer says to scripts of web pages.
    var crossOrigin: HTTPHeaders = [:]

    var description: String { "\(error)" }
}

extension S3Error {
    /// The elements of the document of an error.
    func write(to writer: borrowing XMLWriter, resource: String?, id: String) {
        writer.element("Code", code.rawValue)
        writer.element("Message", message)
        for detail in details { writer.element(detail.name, detail.value) }
        if let resource { writer.element("Resource", resource) }
        writer.element("RequestId", id)
    }
}
