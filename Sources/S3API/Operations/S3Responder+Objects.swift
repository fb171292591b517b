internal import Core
internal import HTTPEdge
internal import Metadata
internal import NIOCore
internal import NIOHTTP1
internal import ObjectStore

extension S3Responder {
    func putObject(_ call: S3Call) async throws -> HTTPResponse {
        let body = try ObjectBody(call.request, payload: call.payload, maximum: settings.maximumPutBytes)
        let (_, headers) = try await put(call, body: body) { body.trailer }
        return HTTPResponse(status: .ok, headers: headers)
    }

    /// Stores the object that a call describes.
    /// - Parameter trailer: the fields behind the body, when it has come to its end.
    /// - Returns: the object, and the header of the answer.
    func put<Body: AsyncSequence & Sendable>(
        _ call: S3Call, body: Body, trailer: @escaping @Sendable () -> [String: String] = { [:] }
    ) async throws -> (ObjectRecord, HTTPHeaders) where Body.Element == ByteBuffer {
        let target = try await bucket(for: call)
        let headers = try ObjectHeaders(call.headers)
        let cipher = try await cipher(forNew: call.key, in: target, call.headers)
        let checks = try ContentChecks(call.headers, payload: call.payload)
        var attributes = try await attributes(call)
        try await applyDefaultRetention(to: &attributes, call)
        let description = ObjectDescription(
            bucket: target.bucket, key: call.key, contentType: headers.contentType, userMetadata: headers.kept,
            attributes: attributes, condition: try Conditions.ofWrite(call.headers))
        let (object, committed) = try await put(description, cipher: cipher, algorithms: checks.algorithms, body: body) { digest in
            try checks.verify(digest, trailer: trailer())
        }
        var fields = written(object, committed)
        fields.add(contentsOf: EncryptionRequest.fields(object.attributes.encryption, customer: try CustomerKey(call.headers)))
        try await addExpiration(of: object, call, to: &fields)
        return (object, fields)
    }

    /// What the header of a request says of the object that it makes.
    func attributes(_ call: S3Call) async throws -> ObjectAttributes {
        var attributes = ObjectAttributes()
        try await setAccess(of: &attributes, call)
        if let text = call.headers.first(name: "x-amz-tagging"), !text.isEmpty { attributes.tags = try Tags.parse(query: text) }
        if let text = call.headers.first(name: "x-amz-storage-class"), text != "STANDARD" {
            guard Self.storageClasses.contains(text) else { throw S3Error(.invalidStorageClass) }
            attributes.storageClass = text
        }
        try await applyLocks(call, to: &attributes)
        return attributes
    }

    /// All are kept alike: how is decided by the bucket, or the cluster.
    private static let storageClasses: Set<String> = ["STANDARD", "REDUCED_REDUNDANCY", "STANDARD_IA", "ONEZONE_IA", "INTELLIGENT_TIERING"]

    /// The header of the answer to what wrote an object.
    func written(_ object: ObjectRecord, _ committed: CommittedVersion) -> HTTPHeaders {
        var headers: HTTPHeaders = ["ETag": "\"\(object.etag)\""]
        if committed.versioning == .enabled {
            headers.add(name: "x-amz-version-id", value: VersionName.text(committed.version, isNull: committed.isNullVersion))
        }
        if let checksum = object.attributes.checksum { Self.add(checksum, to: &headers) }
        return headers
    }

    static func add(_ checksum: ObjectAttributes.Checksum, to headers: inout HTTPHeaders) {
        headers.add(name: "x-amz-checksum-\(checksum.algorithm.lowercased())", value: checksum.value)
        headers.add(name: "x-amz-checksum-type", value: checksum.kind.headerText)
    }

    // MARK: Reading

    /// GetObject and HeadObject.
    func getObject(_ call: S3Call) async throws -> HTTPResponse {
        let bucket = try await bucket(for: call).bucket
        try EncryptionRequest.refuse(inReading: call.headers)
        let customer = try CustomerKey(call.headers)
        let object = try object(for: call)
        var headers = ObjectHeaders.response(for: object)
        headers.add(contentsOf: EncryptionRequest.fields(object.attributes.encryption, customer: customer))
        headers.add(name: "Last-Modified", value: CalendarDate(object.createdAt).httpText)
        if bucket.versioning != .off {
            headers.add(name: "x-amz-version-id", value: VersionName.text(object.version, isNull: object.isNullVersion))
        }
        if try call.version() == .latest { try await addExpiration(of: object, call, to: &headers) }
        switch Conditions.evaluate(call.headers, for: object) {
        case .notModified: throw S3Error(.notModified, fields: [.init(name: "ETag", value: "\"\(object.etag)\"")])
        case .failed: throw S3Error(.preconditionFailed)
        case .proceed: break
        }
        let part = try await part(call, of: object, headers: &headers)
        try await check(customer, for: object, in: bucket)
        let isMeant = Preconditions(etag: object.etag, lastModified: object.createdAt).honoursRange(call.headers)
        let field = isMeant ? call.headers.first(name: "range") : nil
        if part == nil, field == nil, call.headers.first(name: "x-amz-checksum-mode")?.uppercased() == "ENABLED",
            let checksum = object.attributes.checksum
        {
            Self.add(checksum, to: &headers)
        }
        try override(&headers, call)
        let range: Range<Int64>
        switch part.map(ByteRange.part) ?? ByteRange(field: field, size: object.byteCount) {
        case .whole: range = 0..<object.byteCount
        case .part(let part):
            range = part
            headers.add(name: "Content-Range", value: "bytes \(part.lowerBound)-\(part.upperBound - 1)/\(object.byteCount)")
        case .unsatisfiable:
            throw S3Error(.invalidRange, fields: [.init(name: "Content-Range", value: "bytes */\(object.byteCount)")])
        }
        let isPartial = headers.contains(name: "content-range")
        let body: HTTPResponse.Body
        if call.operation == .headObject {
            body = .headOnly(byteCount: Int64(range.count))
        } else {
            body = try self.body(of: object, range: range, cipher: try await cipher(of: object, in: bucket, customer: customer))
        }
        return HTTPResponse(status: isPartial ? .partialContent : .ok, headers: headers, body: body)
    }

    private func body(of object: ObjectRecord, range: Range<Int64>, cipher: ObjectCipher?) throws -> HTTPResponse.Body {
        let byteCount = Int64(range.count)
        if range.isEmpty { return .empty }
        let pinned = store.pin(object)
        if let cipher {
            let content = try PlainContent(of: object, range: range, cipher: cipher, store: store)
            return .stream(byteCount: byteCount) { writer in
                defer { withExtendedLifetime(pinned) {} }
                for try await bytes in content { try await writer.write(bytes) }
            }
        }
        return .stream(byteCount: byteCount) { [store] writer in
            defer { withExtendedLifetime(pinned) {} }
            try await store.read(object, range: range) { try await writer.write($0) }
        }
    }

    /// The bytes of the part that the query asks for.
    private func part(_ call: S3Call, of object: ObjectRecord, headers: inout HTTPHeaders) async throws -> Range<Int64>? {
        guard let number = try call.query.number("partNumber", in: 1...Self.maximumPartNumber) else { return nil }
        guard object.etag.contains("-") else {
            guard number == 1 else { throw S3Error(.invalidPartNumber) }
            return object.byteCount == 0 ? nil : 0..<object.byteCount
        }
        let parts = try await store.metadata.parts(ofVersion: object.version, after: 0, limit: Self.maximumPartNumber)
        // A copy keeps the entity tag of what was made of parts, and has none itself.
        guard !parts.isEmpty || number > 1 else { return object.byteCount == 0 ? nil : 0..<object.byteCount }
        headers.add(name: "x-amz-mp-parts-count", value: "\(parts.count)")
        var start: Int64 = 0
        for part in parts {
            if part.number == number {
                if let value = part.checksum, let checksum = object.attributes.checksum {
                    headers.add(name: "x-amz-checksum-\(checksum.algorithm.lowercased())", value: value)
                    headers.add(name: "x-amz-checksum-type", value: checksum.kind.headerText)
                }
                return part.byteCount == 0 ? nil : start..<start + part.byteCount
            }
            start += part.byteCount
        }
        throw S3Error(.invalidPartNumber)
    }

    /// `response-content-type` and its like.
    private func override(_ headers: inout HTTPHeaders, _ call: S3Call) throws(S3Error) {
        for name in ["Content-Type", "Content-Language", "Expires", "Cache-Control", "Content-Disposition", "Content-Encoding"] {
            guard let value = call.query["response-\(name.lowercased())"] else { continue }
            guard !call.identity.isAnonymous else {
                throw S3Error(.invalidRequest, "Request specific response headers cannot be used for anonymous GET requests.")
            }
            headers.replaceOrAdd(name: name, value: value)
        }
    }

    /// The version that a call reads: as it was when the call was admitted.
    /// - Throws: as ``existing(_:_:_:)``; ``S3Error`` `InvalidArgument`.
    func object(for call: S3Call) throws(S3Error) -> ObjectRecord {
        try Self.existing(call.access.version, call.key, try call.version())
    }

    /// - Throws: ``S3Error`` `NoSuchKey`, `NoSuchVersion`, `MethodNotAllowed` for a delete marker that is asked for by its name.
    static func existing(_ version: ObjectVersion?, _ key: String, _ selector: VersionSelector) throws(S3Error) -> ObjectRecord {
        let details = [S3Error.Detail(name: "Key", value: key)]
        switch version {
        case .object(let object)?: return object
        case .deleteMarker(let marker)?:
            let fields = [
                S3Error.Detail(name: "x-amz-delete-marker", value: "true"),
                S3Error.Detail(name: "x-amz-version-id", value: VersionName.text(marker.version, isNull: marker.isNullVersion)),
            ]
            throw S3Error(selector == .latest ? .noSuchKey : .methodNotAllowed, details: details, fields: fields)
        case nil: throw S3Error(selector == .latest ? .noSuchKey : .noSuchVersion, details: details)
        }
    }

    // MARK: Copying

    func copyObject(_ call: S3Call) async throws -> HTTPResponse {
        let target = try await bucket(for: call)
        let bucket = target.bucket
        let cipher = try await cipher(forNew: call.key, in: target, call.headers)
        let source = try await source(call)
        let replaces = try Self.directive("x-amz-metadata-directive", call)
        let isSame = source.object.key == call.key && source.object.bucket == bucket.id
        let changesEncryption = cipher != nil || source.object.attributes.encryption != nil
        guard replaces || !isSame || source.isOlder || changesEncryption else {
            throw S3Error(
                .invalidRequest, "This copy request is illegal because it is trying to copy an object to itself without changing anything.")
        }
        var attributes = try await attributes(call)
        try await applyDefaultRetention(to: &attributes, call)
        if try !Self.directive("x-amz-tagging-directive", call) { attributes.tags = try copiedTags(source, call) }
        attributes.checksum = source.object.attributes.checksum
        let headers = try ObjectHeaders(call.headers)
        let description = ObjectDescription(
            bucket: bucket, key: call.key, contentType: replaces ? headers.contentType : source.object.contentType,
            userMetadata: replaces ? headers.kept : source.object.userMetadata, attributes: attributes,
            condition: try Conditions.ofWrite(call.headers))
        let algorithm = attributes.checksum.flatMap { ChecksumAlgorithm(rawValue: $0.algorithm) }
        let (object, committed) = try await copy(source, to: description, cipher: cipher, algorithm: algorithm, call.headers)
        var fields = written(object, committed)
        fields.remove(name: "ETag")
        fields.add(contentsOf: EncryptionRequest.fields(object.attributes.encryption, customer: try CustomerKey(call.headers)))
        try await addExpiration(of: object, call, to: &fields)
        fields.add(contentsOf: source.fields)
        return .xml(
            XMLWriter.document("CopyObjectResult") { writer in
                writer.element("LastModified", CalendarDate(object.createdAt).internetText)
                writer.element("ETag", "\"\(object.etag)\"")
                if let checksum = object.attributes.checksum {
                    writer.element("Checksum\(checksum.algorithm)", checksum.value)
                    writer.element("ChecksumType", checksum.kind.headerText)
                }
            }, headers: fields)
    }

    struct Source {
        let object: ObjectRecord
        let bucket: BucketRecord
        /// As long as the copy is made.
        let pinned: PinnedBlobs
        /// Whether it is named by its version.
        let isOlder: Bool
        let mayReadTags: Bool
        let fields: HTTPHeaders
    }

    /// The object that a copy reads, when the caller may read it and its conditions hold.
    func source(_ call: S3Call) async throws -> Source {
        let named = try CopySource(call.headers.first(name: "x-amz-copy-source") ?? "")
        let (found, pinned) = try await store.lookingUp {
            let found = try await self.readable(named, for: call)
            return (found, store.pin(found.object))
        }
        let (bucket, object) = (found.bucket, found.object)
        guard Conditions.evaluate(call.headers, for: object, prefix: "x-amz-copy-source-") == .proceed else {
            throw S3Error(.preconditionFailed)
        }
        var fields = HTTPHeaders()
        if bucket.versioning != .off {
            fields.add(name: "x-amz-copy-source-version-id", value: VersionName.text(object.version, isNull: object.isNullVersion))
        }
        return Source(
            object: object, bucket: bucket, pinned: pinned, isOlder: named.version != .latest, mayReadTags: found.mayReadTags,
            fields: fields)
    }

    /// Tags are copied by those who may read them there and write them here.
    private func copiedTags(_ source: Source, _ call: S3Call) throws(S3Error) -> [ObjectAttributes.Tag]? {
        guard let tags = source.object.attributes.tags, !tags.isEmpty else { return nil }
        guard source.mayReadTags, call.may(.putObjectTagging, call.key) else { throw S3Error(.accessDenied) }
        return tags
    }

    /// - Returns: whether the directive is REPLACE rather than COPY.
    private static func directive(_ name: String, _ call: S3Call) throws(S3Error) -> Bool {
        switch call.headers.first(name: name) {
        case nil, "COPY": return false
        case "REPLACE": return true
        default: throw S3Error(.invalidArgument, "\(name) must be COPY or REPLACE")
        }
    }
}
