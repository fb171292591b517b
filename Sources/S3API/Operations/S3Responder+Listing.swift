internal import HTTPEdge
internal import Metadata
internal import ObjectStore
internal import SignatureV4

extension S3Responder {
    /// Keys and common prefixes of a page.
    static let maximumKeys = 1_000

    /// ListObjects and ListObjectsV2.
    func listObjects(_ call: S3Call) async throws -> HTTPResponse {
        let query = try ListQuery(call.query)
        let bucket = try await bucket(for: call).bucket
        let isSecond = call.operation == .listObjectsV2
        var request = query.request
        if isSecond {
            let token = call.query["continuation-token"] ?? ""
            request.after = token.isEmpty ? call.query["start-after"] : try ListingToken.decode(token)
        } else {
            request.after = call.query["marker"]
        }
        if request.after?.isEmpty == true { request.after = nil }
        let page = try await store.metadata.list(request, in: bucket.id)
        let showsOwner = !isSecond || call.query["fetch-owner"] == "true"
        let names = try await names(of: showsOwner ? page.elements.map(\.attributes.owner) : [])
        return .xml(
            XMLWriter.document("ListBucketResult") { writer in
                writer.element("Name", bucket.name)
                writer.element("Prefix", query.encoded(request.prefix))
                if isSecond {
                    if let token = call.query["continuation-token"] { writer.element("ContinuationToken", token) }
                    if let after = call.query["start-after"] { writer.element("StartAfter", query.encoded(after)) }
                    writer.element("KeyCount", page.elements.count + page.commonPrefixes.count)
                    if let next = page.next { writer.element("NextContinuationToken", ListingToken.encode(next)) }
                } else {
                    writer.element("Marker", query.encoded(call.query["marker"] ?? ""))
                    if let next = page.next, request.delimiter != nil { writer.element("NextMarker", query.encoded(next)) }
                }
                query.writeLimits(isTruncated: page.next != nil, to: writer)
                for object in page.elements {
                    writer.element("Contents") { writer in
                        write(object, query, to: writer)
                        if showsOwner { write(owner: object.attributes.owner, as: "Owner", names: names, to: writer) }
                    }
                }
                query.write(page.commonPrefixes, to: writer)
            })
    }

    func listVersions(_ call: S3Call) async throws -> HTTPResponse {
        let query = try ListQuery(call.query)
        let bucket = try await bucket(for: call).bucket
        var request = query.request
        request.after = call.query["key-marker"].flatMap { $0.isEmpty ? nil : $0 }
        let marker = call.query["version-id-marker"].flatMap { $0.isEmpty ? nil : $0 }
        guard marker == nil || request.after != nil else {
            throw S3Error(.invalidArgument, "A version-id marker cannot be specified without a key marker.")
        }
        let page = try await store.metadata.listVersions(
            request, after: try marker.map { text throws(S3Error) in try VersionName.selector(text) }, in: bucket.id)
        let names = try await names(of: page.elements.map(\.version.owner))
        return .xml(
            XMLWriter.document("ListVersionsResult") { writer in
                writer.element("Name", bucket.name)
                writer.element("Prefix", query.encoded(request.prefix))
                writer.element("KeyMarker", query.encoded(request.after ?? ""))
                writer.element("VersionIdMarker", marker ?? "")
                if let next = page.next {
                    writer.element("NextKeyMarker", query.encoded(next))
                    // Behind a common prefix there is no version to go on from.
                    if let last = page.elements.last, last.version.key == next {
                        writer.element("NextVersionIdMarker", last.version.versionText)
                    }
                }
                query.writeLimits(isTruncated: page.next != nil, to: writer)
                for listed in page.elements { write(listed, query, names, to: writer) }
                query.write(page.commonPrefixes, to: writer)
            })
    }

    private func write(_ listed: ListedVersion, _ query: ListQuery, _ names: OwnerNames, to writer: borrowing XMLWriter) {
        switch listed.version {
        case .object(let object):
            writer.element("Version") { writer in
                write(object, query, to: writer)
                writer.element("VersionId", listed.version.versionText)
                writer.element("IsLatest", listed.isLatest)
                write(owner: object.attributes.owner, as: "Owner", names: names, to: writer)
            }
        case .deleteMarker(let deleted):
            writer.element("DeleteMarker") { writer in
                writer.element("Key", query.encoded(deleted.key))
                writer.element("LastModified", CalendarDate(deleted.createdAt).internetText)
                writer.element("VersionId", listed.version.versionText)
                writer.element("IsLatest", listed.isLatest)
                write(owner: deleted.owner, as: "Owner", names: names, to: writer)
            }
        }
    }

    private func write(_ object: ObjectRecord, _ query: ListQuery, to writer: borrowing XMLWriter) {
        writer.element("Key", query.encoded(object.key))
        writer.element("LastModified", CalendarDate(object.createdAt).internetText)
        writer.element("ETag", "\"\(object.etag)\"")
        if let checksum = object.attributes.checksum {
            writer.element("ChecksumAlgorithm", checksum.algorithm)
            writer.element("ChecksumType", checksum.kind.headerText)
        }
        writer.element("Size", object.byteCount)
        writer.element("StorageClass", object.attributes.storageClass ?? "STANDARD")
    }
}

extension ObjectVersion {
    var owner: String? {
        switch self {
        case .object(let object): object.attributes.owner
        case .deleteMarker(let marker): marker.owner
        }
    }

    /// As S3 names the version.
    var versionText: String {
        switch self {
        case .object(let object): VersionName.text(object.version, isNull: object.isNullVersion)
        case .deleteMarker(let marker): VersionName.text(marker.version, isNull: marker.isNullVersion)
        }
    }
}

extension ObjectAttributes.Checksum.Kind {
    var headerText: String { self == .composite ? "COMPOSITE" : "FULL_OBJECT" }
}

/// What all listings have in common.
struct ListQuery {
    let request: ListRequest
    private let isEncoded: Bool
    private let maximum: Int

    /// - Throws: ``S3Error`` `InvalidArgument`.
    init(_ query: QueryItems, limit: String = "max-keys") throws(S3Error) {
        maximum = try query.number(limit, in: 0...Int(Int32.max)) ?? S3Responder.maximumKeys
        let delimiter = query["delimiter"].flatMap { $0.isEmpty ? nil : $0 }
        request = ListRequest(
            prefix: query["prefix"] ?? "", delimiter: delimiter, after: nil, limit: min(maximum, S3Responder.maximumKeys))
        switch query["encoding-type"] {
        case nil, "": isEncoded = false
        case "url": isEncoded = true
        default: throw S3Error(.invalidArgument, "Invalid Encoding Method specified in Request")
        }
    }

    /// A name as the client wants to have it.
    func encoded(_ name: String) -> String { isEncoded ? uriEncoded(name.utf8, keepingSlashes: true) : name }

    func writeLimits(_ element: String = "MaxKeys", isTruncated: Bool, to writer: borrowing XMLWriter) {
        writer.element(element, request.limit)
        if let delimiter = request.delimiter { writer.element("Delimiter", encoded(delimiter)) }
        if isEncoded { writer.element("EncodingType", "url") }
        writer.element("IsTruncated", isTruncated)
    }

    func write(_ commonPrefixes: [String], to writer: borrowing XMLWriter) {
        for prefix in commonPrefixes { writer.element("CommonPrefixes") { $0.element("Prefix", encoded(prefix)) } }
    }
}
