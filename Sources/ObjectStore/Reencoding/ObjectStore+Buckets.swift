internal import Core
public import ErasureCoding
internal import Logging
internal import Metadata
internal import Placement

/// How buckets want their objects stored.
extension ObjectStore {
    public func buckets(after name: String?, limit: Int) async throws -> [BucketStatus] {
        let (buckets, reencodings) = try await committing {
            (try await self.metadata.bucketClasses(after: name, limit: limit), try await self.reencodingStatus())
        }
        return buckets.map { status(of: $0, reencodings) }
    }

    public func setStorageClass(_ storageClass: StorageClass?, ofBucket name: String, reencode: Bool) async throws -> BucketStatus {
        if case .coded(let code) = storageClass {
            let available = map.current.members.count
            guard available >= code.width else {
                throw AdministrationError.invalid(detail: "\(code) needs \(code.width) nodes, and there are \(available)")
            }
        }
        let order = reencode ? ReencodingID(time: time.now(), random: random) : nil
        let bucket = try await committing {
            try await self.metadata.setStorageClass(storageClass?.description, ofBucket: name, order: order)
        }
        guard let bucket else { throw AdministrationError.unknownBucket(name) }
        note(bucket)
        logger.notice(
            "storage class of a bucket changed",
            metadata: ["bucket": "\(name)", "class": "\(storageClass?.description ?? "default")", "reencode": "\(reencode)"])
        if reencode { reencodingRequested.raise() }
        return status(of: bucket, try await committing { try await self.reencodingStatus() })
    }

    private func status(of bucket: BucketRecord, _ reencodings: [ReencodingStatus]) -> BucketStatus {
        BucketStatus(
            name: bucket.name, storageClass: bucket.storageClass.flatMap(StorageClass.init),
            reencoding: reencodings.first { $0.bucket == bucket.name })
    }

    /// How far the orders have come.
    func reencodingStatus() async throws -> [ReencodingStatus] {
        let layout = map.current
        let rate = reencodedRecently.rate(at: time.monotonicNow()).bytesPerSecond
        // One order is carried out at a time: the first.
        return try await metadata.reencodings().enumerated().map { number, order in
            ReencodingStatus(
                bucket: order.bucket.name, storageClass: storageClass(of: order.bucket, in: layout), objectCount: order.objectCount,
                examinedCount: order.examinedCount, reencodedCount: order.reencodedCount, reencodedBytes: order.reencodedBytes,
                failedCount: order.failedCount, bytesPerSecond: number == 0 ? rate : 0)
        }
    }
}
