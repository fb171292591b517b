internal import Core
internal import FoundationEssentials
internal import HTTPEdge
internal import Metadata
internal import NIOCore
internal import NIOHTTP1
internal import ObjectStore
internal import SignatureV4

/// CompleteMultipartUpload.
extension S3Responder {
    func completeUpload(_ call: S3Call) async throws -> HTTPResponse {
        let bucket = try await bucket(for: call).bucket
        let request = try await call.readXML("CompleteMultipartUpload", ignoringChecksum: true)
        let named = try NamedParts(request)
        guard let id = UploadID(call.query["uploadId"] ?? "") else { throw S3Error(.noSuchUpload) }
        guard let upload = try await store.metadata.upload(id), upload.bucket == bucket.id, upload.key == call.key else {
            return try await completedBefore(id, named, call, in: bucket)
        }
        // The client's key comes with the completion, too.
        if upload.attributes.encryption?.mode == .customer {
            _ = try await cipher(of: upload, in: bucket, customer: CustomerKey(call.headers))
        }
        let kept = try await store.metadata.parts(of: id, after: 0, limit: Self.maximumPartNumber)
        let parts: [PartRecord]
        var attributes = upload.attributes
        attributes.initiator = nil
        do {
            parts = try chosen(named, from: kept)
            attributes.checksum = try checksum(of: parts, for: upload, call)
            attributes.encryption?.parts = PartRuns.text(parts.map(\.number))
            try await applyDefaultRetention(to: &attributes, call)
            try checkSize(of: parts, call)
        } catch {
            // Another completion may have taken the parts since the upload was looked at.
            guard try await store.metadata.upload(id) == nil else { throw error }
            return try await completedBefore(id, named, call, in: bucket)
        }
        let now = time.now()
        let object = ObjectRecord(
            bucket: bucket.id, key: upload.key, version: VersionID(time: now, random: random),
            byteCount: parts.reduce(0) { $0 + $1.byteCount }, fileName: nil, contentType: upload.contentType,
            etag: PartChecksums.etag(parts), crc32c: nil, createdAt: now, userMetadata: upload.userMetadata, attributes: attributes,
            blobs: parts.compactMap(\.blob))
        let committed: CommittedVersion
        do {
            committed = try await store.metadata.completeUpload(
                id, as: object, parts: parts, partsDigest: named.digest, condition: try Conditions.ofWrite(call.headers))
        } catch MetadataError.conflict {
            // A part was sent again meanwhile.
            throw S3Error(.invalidPart)
        } catch MetadataError.noSuchUpload {
            return try await completedBefore(id, named, call, in: bucket)
        }
        store.noteGarbage()
        var response = try result(etag: object.etag, attributes, committed, call, in: bucket)
        try await addExpiration(of: object, call, to: &response.headers)
        return response
    }

    /// The answer to a completion that is repeated: that of the first.
    private func completedBefore(_ id: UploadID, _ named: NamedParts, _ call: S3Call, in bucket: BucketRecord) async throws -> HTTPResponse
    {
        guard let completed = try await store.metadata.completedUpload(id), completed.bucket == bucket.id, completed.key == call.key,
            completed.partsDigest == named.digest
        else { throw S3Error(.noSuchUpload) }
        var attributes = ObjectAttributes()
        let selector: VersionSelector = completed.version.isNullVersion ? .null : .named(completed.version.version)
        if case .object(let object)? = try await store.metadata.version(selector, of: call.key, in: bucket.id),
            object.version == completed.version.version
        {
            attributes = object.attributes
        }
        return try result(etag: completed.etag, attributes, completed.version, call, in: bucket)
    }

    private func result(
        etag: String, _ attributes: ObjectAttributes, _ committed: CommittedVersion, _ call: S3Call, in bucket: BucketRecord
    ) throws -> HTTPResponse {
        var headers = EncryptionRequest.fields(attributes.encryption, customer: try CustomerKey(call.headers))
        if committed.versioning == .enabled {
            headers.add(name: "x-amz-version-id", value: VersionName.text(committed.version, isNull: committed.isNullVersion))
        }
        return .xml(
            XMLWriter.document("CompleteMultipartUploadResult") { writer in
                writer.element("Location", "/\(bucket.name)/\(uriEncoded(call.key.utf8, keepingSlashes: true))")
                writer.element("Bucket", bucket.name)
                writer.element("Key", call.key)
                writer.element("ETag", "\"\(etag)\"")
                if let checksum = attributes.checksum {
                    writer.element("Checksum\(checksum.algorithm)", checksum.value)
                    writer.element("ChecksumType", checksum.kind.headerText)
                }
            }, headers: headers)
    }

    /// The parts that the client names, in its order.
    /// - Throws: ``S3Error`` `InvalidPart`, `EntityTooSmall`.
    private func chosen(_ named: NamedParts, from parts: [PartRecord]) throws(S3Error) -> [PartRecord] {
        let byNumber = Dictionary(parts.map { ($0.number, $0) }, uniquingKeysWith: { $1 })
        var chosen: [PartRecord] = []
        for name in named.parts {
            guard let part = byNumber[name.number], part.etag == name.etag else { throw S3Error(.invalidPart) }
            if let checksum = name.checksum, let kept = part.checksum, checksum != kept { throw S3Error(.invalidPart) }
            chosen.append(part)
        }
        for part in chosen.dropLast() where part.byteCount < settings.minimumPartBytes {
            throw S3Error(
                .entityTooSmall,
                details: [
                    .init(name: "ProposedSize", value: "\(part.byteCount)"),
                    .init(name: "MinSizeAllowed", value: "\(settings.minimumPartBytes)"),
                    .init(name: "PartNumber", value: "\(part.number)"),
                ])
        }
        return chosen
    }

    private func checksum(of parts: [PartRecord], for upload: UploadRecord, _ call: S3Call) throws(S3Error) -> ObjectAttributes.Checksum? {
        guard let wanted = upload.attributes.checksum else { return nil }
        if let kind = call.headers.first(name: "x-amz-checksum-type"), kind.uppercased() != wanted.kind.headerText {
            throw S3Error(.invalidRequest, "The upload was created with another checksum type")
        }
        let computed = PartChecksums.combine(parts, as: wanted)
        if let given = call.headers.first(name: "x-amz-checksum-\(wanted.algorithm.lowercased())"), let computed {
            // A composite one may come without the number of parts.
            guard given == computed.value || given == computed.value.prefix(while: { $0 != "-" }) else { throw S3Error(.badDigest) }
        }
        return computed
    }

    private func checkSize(of parts: [PartRecord], _ call: S3Call) throws(S3Error) {
        guard let text = call.headers.first(name: "x-amz-mp-object-size") else { return }
        guard Int64(text) == parts.reduce(0, { $0 + $1.byteCount }) else {
            throw S3Error(.invalidRequest, "The x-amz-mp-object-size is not that of the parts")
        }
    }
}

/// The list of parts in a CompleteMultipartUpload.
struct NamedParts {
    struct Part: Hashable {
        let number: Int
        /// Without quotation marks.
        let etag: String
        let checksum: String?
    }

    let parts: [Part]

    /// Identifies the list.
    var digest: String { sha256Text(parts.map { "\($0.number):\($0.etag)\n" }.joined().utf8) }

    /// - Throws: ``S3Error`` `MalformedXML`, `InvalidPartOrder`, `InvalidArgument`.
    init(_ request: XMLElement) throws(S3Error) {
        var parts: [Part] = []
        for element in request.all("Part") {
            guard let number = element.value("PartNumber").flatMap({ Int($0) }), let etag = element.value("ETag") else {
                throw S3Error(.malformedXML)
            }
            guard (1...S3Responder.maximumPartNumber).contains(number) else {
                throw S3Error(.invalidArgument, "A part's number is from 1 to \(S3Responder.maximumPartNumber)")
            }
            let checksum = element.children.first { $0.name.hasPrefix("Checksum") && $0.name != "ChecksumType" }?.trimmed
            // The later of two that name one part counts: it is what a client that sent the part twice means.
            if parts.last?.number == number { parts.removeLast() }
            guard parts.last.map({ $0.number < number }) ?? true else { throw S3Error(.invalidPartOrder) }
            parts.append(Part(number: number, etag: etag.replacing("\"", with: ""), checksum: checksum))
        }
        guard !parts.isEmpty, parts.count <= S3Responder.maximumPartNumber else { throw S3Error(.malformedXML) }
        self.parts = parts
    }
}
