internal import HTTPEdge
internal import Metadata
internal import NIOHTTP1
internal import ObjectStore

/// GetObjectAttributes.
extension S3Responder {
    private static let maximumAttributeParts = 1_000

    private enum Attribute: String, CaseIterable {
        case etag = "ETag"
        case checksum = "Checksum"
        case parts = "ObjectParts"
        case storageClass = "StorageClass"
        case size = "ObjectSize"
    }

    /// A page of the parts that an object was made of.
    private struct PartsPage {
        let count: Int
        let marker: Int
        let limit: Int
        let parts: ArraySlice<PartRecord>
        let isTruncated: Bool
    }

    func getObjectAttributes(_ call: S3Call) async throws -> HTTPResponse {
        let bucket = try await bucket(for: call).bucket
        let wanted = try wantedAttributes(call)
        try EncryptionRequest.refuse(inReading: call.headers)
        let customer = try CustomerKey(call.headers)
        let object = try object(for: call)
        try await check(customer, for: object, in: bucket)
        let page = wanted.contains(.parts) ? try await partsPage(call, of: object) : nil
        var headers = EncryptionRequest.fields(object.attributes.encryption, customer: customer)
        headers.add(name: "Last-Modified", value: CalendarDate(object.createdAt).httpText)
        if bucket.versioning != .off {
            headers.add(name: "x-amz-version-id", value: VersionName.text(object.version, isNull: object.isNullVersion))
        }
        return .xml(
            XMLWriter.document("GetObjectAttributesResponse") { writer in
                if wanted.contains(.etag) { writer.element("ETag", object.etag) }
                if wanted.contains(.checksum), let checksum = object.attributes.checksum {
                    writer.element("Checksum") { writer in
                        writer.element("Checksum\(checksum.algorithm)", checksum.value)
                        writer.element("ChecksumType", checksum.kind.headerText)
                    }
                }
                if let page { Self.write(page, algorithm: object.attributes.checksum?.algorithm, to: writer) }
                if wanted.contains(.storageClass) { writer.element("StorageClass", object.attributes.storageClass ?? "STANDARD") }
                if wanted.contains(.size) { writer.element("ObjectSize", object.byteCount) }
            }, headers: headers)
    }

    /// - Throws: ``S3Error`` `InvalidArgument`, `InvalidRequest`.
    private func wantedAttributes(_ call: S3Call) throws(S3Error) -> Set<Attribute> {
        let names = call.headers["x-amz-object-attributes"].flatMap { $0.split(separator: ",") }.map { String($0).trimmingBlanks() }
        guard !names.isEmpty else { throw S3Error(.invalidRequest, "x-amz-object-attributes is missing") }
        var wanted: Set<Attribute> = []
        for name in names {
            guard let attribute = Attribute(rawValue: name) else {
                throw S3Error(.invalidArgument, "There is no such attribute of an object")
            }
            wanted.insert(attribute)
        }
        return wanted
    }

    /// - Returns: nil for an object that was not made of parts.
    private func partsPage(_ call: S3Call, of object: ObjectRecord) async throws -> PartsPage? {
        let limit = min(try number("x-amz-max-parts", call) ?? Self.maximumAttributeParts, Self.maximumAttributeParts)
        let marker = try number("x-amz-part-number-marker", call) ?? 0
        let all = try await store.metadata.parts(ofVersion: object.version, after: 0, limit: Self.maximumPartNumber)
        guard !all.isEmpty else { return nil }
        let rest = all.drop { $0.number <= marker }
        return PartsPage(count: all.count, marker: marker, limit: limit, parts: rest.prefix(limit), isTruncated: rest.count > limit)
    }

    private func number(_ field: String, _ call: S3Call) throws(S3Error) -> Int? {
        guard let text = call.headers.first(name: field) else { return nil }
        guard let number = Int32(text), number >= 0 else { throw S3Error(.invalidArgument, "\(field) must be a number") }
        return Int(number)
    }

    private static func write(_ page: PartsPage, algorithm: String?, to writer: borrowing XMLWriter) {
        writer.element("ObjectParts") { writer in
            writer.element("PartsCount", page.count)
            writer.element("PartNumberMarker", page.marker)
            writer.element("NextPartNumberMarker", page.parts.last?.number ?? 0)
            writer.element("MaxParts", page.limit)
            writer.element("IsTruncated", page.isTruncated)
            for part in page.parts {
                writer.element("Part") { writer in
                    writer.element("PartNumber", part.number)
                    writer.element("Size", part.byteCount)
                    if let algorithm { writer.optional("Checksum\(algorithm)", part.checksum) }
                }
            }
        }
    }
}
