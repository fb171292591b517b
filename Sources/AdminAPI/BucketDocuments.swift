internal import Core
internal import ErasureCoding
internal import HTTPEdge
internal import ObjectStore

/// The body of an order that sets how a bucket's objects are stored.
struct StorageClassDocument: Decodable {
    /// In the place of a class: the cluster's default.
    private static let clusterDefault = "default"

    /// nil for the cluster's default.
    let storageClass: StorageClass?
    let reencode: Bool

    private enum CodingKeys: CodingKey, CaseIterable {
        case storageClass, reencode
    }

    init(from decoder: any Decoder) throws {
        let order = try decoder.order(CodingKeys.self)
        reencode = try order.decodeIfPresent(Bool.self, forKey: .reencode) ?? false
        let text = try order.decode(String.self, forKey: .storageClass)
        storageClass = StorageClass(text)
        guard storageClass != nil || text == Self.clusterDefault else {
            throw AdministrationRoutes.malformed("storageClass is replicated, replicated-3 or ec-4-2, with other numbers, or default")
        }
    }
}

/// A page of the list of buckets.
struct BucketListDocument: Encodable {
    let buckets: [BucketDocument]
    /// nil on the last page.
    let nextCursor: String?

    private enum CodingKeys: CodingKey {
        case buckets, nextCursor
    }

    func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(buckets, forKey: .buckets)
        try container.encode(nextCursor, forKey: .nextCursor)
    }
}

struct BucketDocument: Encodable {
    let name: String
    let storageClass: String?
    let reencoding: ReencodingDocument?

    private enum CodingKeys: CodingKey {
        case name, storageClass, reencoding
    }

    init(_ status: BucketStatus) {
        name = status.name
        storageClass = status.storageClass?.description
        reencoding = status.reencoding.map(ReencodingDocument.init)
    }

    /// Every member is always there: null for the cluster's default, and when nothing is stored anew.
    func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(name, forKey: .name)
        try container.encode(storageClass, forKey: .storageClass)
        try container.encode(reencoding, forKey: .reencoding)
    }
}

/// How far the objects of a bucket have been brought to its class.
struct ReencodingDocument: Encodable {
    let bucket: String
    let storageClass: String
    let objectCount: Int64
    let examinedCount: Int64
    let reencodedCount: Int64
    let reencodedBytes: Int64
    let failedCount: Int64
    let bytesPerSecond: Int64

    init(_ status: ReencodingStatus) {
        bucket = status.bucket
        storageClass = status.storageClass.description
        objectCount = status.objectCount
        examinedCount = status.examinedCount
        reencodedCount = status.reencodedCount
        reencodedBytes = status.reencodedBytes
        failedCount = status.failedCount
        bytesPerSecond = status.bytesPerSecond
    }
}
