internal import Core
internal import HTTPEdge
internal import Metadata
internal import NIOCore
internal import NIOHTTP1
internal import ObjectStore

extension S3Responder {
    static let maximumPartNumber = 10_000
    /// Parts, or uploads, of a page.
    private static let maximumPage = 1_000

    func createUpload(_ call: S3Call) async throws -> HTTPResponse {
        let target = try await bucket(for: call)
        let bucket = target.bucket
        let headers = try ObjectHeaders(call.headers)
        var attributes = try await attributes(call)
        attributes.encryption = try await cipher(forNew: call.key, in: target, call.headers)?.encryption
        attributes.checksum = try PartChecksums.wanted(call.headers)
        let now = time.now()
        let upload = UploadRecord(
            id: UploadID(time: now, random: random), bucket: bucket.id, key: call.key, contentType: headers.contentType,
            userMetadata: headers.kept, attributes: attributes, createdAt: now)
        try await store.metadata.createUpload(upload)
        var fields = EncryptionRequest.fields(attributes.encryption, customer: try CustomerKey(call.headers))
        if let checksum = attributes.checksum {
            fields.add(name: "x-amz-checksum-algorithm", value: checksum.algorithm)
            fields.add(name: "x-amz-checksum-type", value: checksum.kind.headerText)
        }
        return .xml(
            XMLWriter.document("InitiateMultipartUploadResult") { writer in
                writer.element("Bucket", bucket.name)
                writer.element("Key", call.key)
                writer.element("UploadId", upload.id.description)
            }, headers: fields)
    }

    /// - Throws: ``S3Error`` `NoSuchUpload`.
    private func upload(for call: S3Call, in bucket: BucketRecord) async throws -> UploadRecord {
        guard let id = UploadID(call.query["uploadId"] ?? ""), let upload = try await store.metadata.upload(id), upload.bucket == bucket.id,
            upload.key == call.key
        else { throw S3Error(.noSuchUpload) }
        return upload
    }

    private func partNumber(_ call: S3Call) throws(S3Error) -> Int {
        guard let number = try call.query.number("partNumber", in: 1...Self.maximumPartNumber) else {
            throw S3Error(.invalidArgument, "partNumber is missing")
        }
        return number
    }

    func uploadPart(_ call: S3Call) async throws -> HTTPResponse {
        let bucket = try await bucket(for: call).bucket
        let number = try partNumber(call)
        let upload = try await upload(for: call, in: bucket)
        let customer = try CustomerKey(call.headers)
        let cipher = try await cipher(of: upload, in: bucket, customer: customer)
        let checks = try ContentChecks(call.headers, payload: call.payload)
        let body = try ObjectBody(call.request, payload: call.payload, maximum: settings.maximumPutBytes)
        var algorithms = checks.algorithms
        let wanted = upload.attributes.checksum.flatMap { ChecksumAlgorithm(rawValue: $0.algorithm) }
        if let wanted { algorithms.insert(wanted) }
        if let wanted, let given = checks.checksum, given.algorithm != wanted, given.isPromised {
            throw S3Error(.invalidRequest, "Checksum Type mismatch occurred, expected checksum Type: \(wanted.rawValue)")
        }
        let part = try await putPart(number, of: upload, in: bucket, cipher: cipher, algorithms: algorithms, body: body) { digest in
            _ = try checks.verify(digest, trailer: body.trailer)
            return wanted.flatMap { Self.checksum($0, of: digest) }
        }
        var headers = EncryptionRequest.fields(upload.attributes.encryption, customer: customer)
        headers.add(name: "ETag", value: "\"\(part.etag)\"")
        if let wanted, let checksum = part.checksum {
            headers.add(name: "x-amz-checksum-\(wanted.rawValue.lowercased())", value: checksum)
        } else if let given = checks.checksum, let value = given.value {
            headers.add(name: "x-amz-checksum-\(given.algorithm.rawValue.lowercased())", value: base64(value))
        }
        return HTTPResponse(status: .ok, headers: headers)
    }

    func uploadPartCopy(_ call: S3Call) async throws -> HTTPResponse {
        let bucket = try await bucket(for: call).bucket
        let number = try partNumber(call)
        let upload = try await upload(for: call, in: bucket)
        let customer = try CustomerKey(call.headers)
        let cipher = try await cipher(of: upload, in: bucket, customer: customer)
        let source = try await source(call)
        let range = try copyRange(call, of: source.object)
        let content = try PlainContent(
            of: source.object, range: range, cipher: try await self.cipher(of: source, call.headers), store: store)
        let wanted = upload.attributes.checksum.flatMap { ChecksumAlgorithm(rawValue: $0.algorithm) }
        let part = try await putPart(
            number, of: upload, in: bucket, cipher: cipher, algorithms: wanted.map { [$0] } ?? [], body: content
        ) { digest in wanted.flatMap { Self.checksum($0, of: digest) } }
        var fields = source.fields
        fields.add(contentsOf: EncryptionRequest.fields(upload.attributes.encryption, customer: customer))
        return .xml(
            XMLWriter.document("CopyPartResult") { writer in
                writer.element("LastModified", CalendarDate(part.createdAt).internetText)
                writer.element("ETag", "\"\(part.etag)\"")
                if let wanted { writer.optional("Checksum\(wanted.rawValue)", part.checksum) }
            }, headers: fields)
    }

    static func checksum(_ algorithm: ChecksumAlgorithm, of digest: ContentDigest) -> ObjectAttributes.Checksum? {
        digest.value(of: algorithm).map { .init(algorithm: algorithm.rawValue, value: base64($0), kind: .fullObject) }
    }

    /// `bytes=FIRST-LAST`, both of which must be there, within the source.
    private func copyRange(_ call: S3Call, of object: ObjectRecord) throws(S3Error) -> Range<Int64> {
        guard let field = call.headers.first(name: "x-amz-copy-source-range") else { return 0..<object.byteCount }
        let bounds = field.hasPrefix("bytes=") ? field.dropFirst(6).split(separator: "-", omittingEmptySubsequences: false) : []
        guard bounds.count == 2, bounds.allSatisfy({ !$0.isEmpty && $0.utf8.allSatisfy { (0x30...0x39).contains($0) } }),
            let first = Int64(bounds[0]), let last = Int64(bounds[1]), first <= last
        else { throw S3Error(.invalidArgument, "The x-amz-copy-source-range must be of the form bytes=first-last") }
        guard last < object.byteCount else { throw S3Error(.invalidRange) }
        return first..<last + 1
    }

    func abortUpload(_ call: S3Call) async throws -> HTTPResponse {
        let bucket = try await bucket(for: call).bucket
        let upload = try await upload(for: call, in: bucket)
        guard try await store.metadata.abortUpload(upload.id, at: time.now()) else { throw S3Error(.noSuchUpload) }
        store.noteGarbage()
        return HTTPResponse(status: .noContent)
    }

    // MARK: Listing

    func listParts(_ call: S3Call) async throws -> HTTPResponse {
        let bucket = try await bucket(for: call).bucket
        let upload = try await upload(for: call, in: bucket)
        let limit = min(try call.query.number("max-parts", in: 0...Int(Int32.max)) ?? Self.maximumPage, Self.maximumPage)
        let marker = try call.query.number("part-number-marker", in: 0...Int(Int32.max)) ?? 0
        let found = try await store.metadata.parts(of: upload.id, after: marker, limit: limit + 1)
        let page = found.prefix(limit)
        let names = try await names(of: [upload.attributes.owner, upload.attributes.initiator])
        let algorithm = upload.attributes.checksum?.algorithm
        return .xml(
            XMLWriter.document("ListPartsResult") { writer in
                writer.element("Bucket", bucket.name)
                writer.element("Key", upload.key)
                writer.element("UploadId", upload.id.description)
                write(owner: upload.attributes.initiator ?? upload.attributes.owner, as: "Initiator", names: names, to: writer)
                write(owner: upload.attributes.owner, as: "Owner", names: names, to: writer)
                writer.element("StorageClass", upload.attributes.storageClass ?? "STANDARD")
                writer.element("PartNumberMarker", marker)
                writer.element("NextPartNumberMarker", page.last?.number ?? 0)
                writer.element("MaxParts", limit)
                writer.element("IsTruncated", found.count > limit)
                if let checksum = upload.attributes.checksum {
                    writer.element("ChecksumAlgorithm", checksum.algorithm)
                    writer.element("ChecksumType", checksum.kind.headerText)
                }
                for part in page {
                    writer.element("Part") { writer in
                        writer.element("PartNumber", part.number)
                        writer.element("LastModified", CalendarDate(part.createdAt).internetText)
                        writer.element("ETag", "\"\(part.etag)\"")
                        writer.element("Size", part.byteCount)
                        if let algorithm { writer.optional("Checksum\(algorithm)", part.checksum) }
                    }
                }
            })
    }

    func listUploads(_ call: S3Call) async throws -> HTTPResponse {
        let query = try ListQuery(call.query, limit: "max-uploads")
        let bucket = try await bucket(for: call).bucket
        var request = query.request
        request.after = call.query["key-marker"].flatMap { $0.isEmpty ? nil : $0 }
        let marker = call.query["upload-id-marker"].flatMap { UploadID($0) }
        let page = try await store.metadata.uploads(request, after: request.after == nil ? nil : marker, in: bucket.id)
        let names = try await names(of: page.elements.flatMap { [$0.attributes.owner, $0.attributes.initiator] })
        return .xml(
            XMLWriter.document("ListMultipartUploadsResult") { writer in
                writer.element("Bucket", bucket.name)
                writer.element("KeyMarker", query.encoded(request.after ?? ""))
                writer.element("UploadIdMarker", marker?.description ?? "")
                writer.element("Prefix", query.encoded(request.prefix))
                if let next = page.next {
                    writer.element("NextKeyMarker", query.encoded(next))
                    if let last = page.elements.last, last.key == next { writer.element("NextUploadIdMarker", last.id.description) }
                }
                query.writeLimits("MaxUploads", isTruncated: page.next != nil, to: writer)
                for upload in page.elements {
                    writer.element("Upload") { writer in
                        writer.element("Key", query.encoded(upload.key))
                        writer.element("UploadId", upload.id.description)
                        write(owner: upload.attributes.initiator ?? upload.attributes.owner, as: "Initiator", names: names, to: writer)
                        write(owner: upload.attributes.owner, as: "Owner", names: names, to: writer)
                        writer.element("StorageClass", upload.attributes.storageClass ?? "STANDARD")
                        writer.element("Initiated", CalendarDate(upload.createdAt).internetText)
                    }
                }
                query.write(page.commonPrefixes, to: writer)
            })
    }
}
