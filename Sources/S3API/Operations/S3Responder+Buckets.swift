internal import Core
internal import HTTPEdge
internal import Metadata
internal import NIOCore
internal import NIOHTTP1
internal import ObjectStore

extension S3Responder {
    /// Buckets in a page of ListBuckets.
    private static let maximumBuckets = 10_000
    private static let defaultRegion = "us-east-1"
    /// Names of internal buckets begin with the character before this one, those of others with a greater one.
    private static let behindInternalNames = "/"

    func listBuckets(_ call: S3Call) async throws -> HTTPResponse {
        let limit = try call.query.number("max-buckets", in: 1...Self.maximumBuckets) ?? Self.maximumBuckets
        let prefix = call.query["prefix"] ?? ""
        let owner = call.identity.ownerID.map(BucketOwner.account) ?? .root
        let after = try call.query["continuation-token"].flatMap { $0.isEmpty ? nil : $0 }.map(ListingToken.decode)
        // One more than asked for tells whether there is another page. The store's own buckets come before all others.
        let found = try await store.metadata.buckets(
            ownedBy: owner, prefix: prefix, after: after ?? Self.behindInternalNames, limit: limit + 1)
        let page = found.prefix(limit)
        let names = try await names(of: [call.identity.ownerID])
        return .xml(
            XMLWriter.document("ListAllMyBucketsResult") { writer in
                write(owner: call.identity.ownerID, as: "Owner", names: names, to: writer)
                writer.element("Buckets") { writer in
                    for bucket in page {
                        writer.element("Bucket") { writer in
                            writer.element("Name", bucket.name)
                            writer.element("CreationDate", CalendarDate(bucket.createdAt).internetText)
                            writer.element("BucketRegion", settings.region)
                        }
                    }
                }
                if call.query.has("prefix") { writer.element("Prefix", prefix) }
                if found.count > limit, let last = page.last { writer.element("ContinuationToken", ListingToken.encode(last.name)) }
            })
    }

    /// Any region is one, but no more than a name: it is read with every request for the bucket.
    private static func isLocation(_ text: String) -> Bool {
        text.utf8.count <= 64
            && text.utf8.allSatisfy { byte in
                switch byte {
                case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, UInt8(ascii: "-"): true
                default: false
                }
            }
    }

    func createBucket(_ call: S3Call) async throws -> HTTPResponse {
        let name = call.bucketName
        guard BucketName.isValid(name), !Self.reservedNames.contains(name) else { throw S3Error(.invalidBucketName) }
        var documents = try await accessDocuments(call)
        let configuration = try await call.readDocument()
        if configuration.readableBytes > 0 {
            let element = try XMLElement.parse(configuration)
            guard element.name == "CreateBucketConfiguration" else { throw S3Error(.malformedXML) }
            if let location = element.value("LocationConstraint"), !location.isEmpty {
                guard Self.isLocation(location) else { throw S3Error(.invalidLocationConstraint) }
                documents[.location] = location
            }
        }
        let isLocking = call.headers.first(name: "x-amz-bucket-object-lock-enabled")?.lowercased() == "true"
        if let existing = try await store.metadata.describeBucket(named: name) {
            return try recreated(existing.bucket, call)
        }
        do {
            _ = try await store.metadata.createBucket(
                named: name, owner: call.identity.ownerID, isLocking: isLocking, documents: documents, at: time.now())
        } catch MetadataError.conflict {
            guard let existing = try await store.metadata.describeBucket(named: name) else { throw S3Error(.bucketAlreadyExists) }
            return try recreated(existing.bucket, call)
        }
        return HTTPResponse(status: .ok, headers: ["Location": "/\(name)"])
    }

    /// Buckets that the store keeps for itself.
    private static let reservedNames: Set<String> = ["files"]

    /// As in us-east-1: making a bucket that one has changes nothing and is no error.
    private func recreated(_ bucket: BucketRecord, _ call: S3Call) throws(S3Error) -> HTTPResponse {
        guard call.identity.owns(bucket.owner) else { throw S3Error(.bucketAlreadyExists) }
        return HTTPResponse(status: .ok, headers: ["Location": "/\(bucket.name)"])
    }

    func headBucket(_ call: S3Call) async throws -> HTTPResponse {
        _ = try await bucket(for: call)
        return HTTPResponse(status: .ok, headers: ["x-amz-bucket-region": settings.region])
    }

    func deleteBucket(_ call: S3Call) async throws -> HTTPResponse {
        let bucket = try await bucket(for: call).bucket
        try await store.metadata.deleteBucket(bucket.id, at: time.now())
        store.noteGarbage()
        return HTTPResponse(status: .noContent)
    }

    func bucketLocation(_ call: S3Call) async throws -> HTTPResponse {
        let description = try await bucket(for: call)
        let location = description.documents[.location] ?? (settings.region == Self.defaultRegion ? "" : settings.region)
        return .xml(XMLWriter.document("LocationConstraint", text: location))
    }
}
