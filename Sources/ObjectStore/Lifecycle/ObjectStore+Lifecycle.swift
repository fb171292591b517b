internal import Core
internal import Logging
internal import Metadata

/// Lifecycles: what a bucket's rules say that has had its time goes (docs/decisions/0018-lifecycle.md).
///
/// A walk over the versions and the uploads of each bucket that has rules, page by page. Nothing is remembered from one walk to the next:
/// what is there, and the clock, decide. Whether a version may go is decided once more in the transaction that removes it.
extension ObjectStore {
    private static let bucketPageSize = 64
    private static let versionPageSize = 1_000
    private static let uploadPageSize = 256
    /// Versions of one transaction: others wait for it.
    private static let ordersAtOnce = 128
    /// Walks in a day.
    private static let walksPerDay = 5

    /// Applies the rules of all buckets again and again, until the task is cancelled.
    func lifecycleForever() async {
        while !Task.isCancelled {
            do {
                try await applyLifecycles()
            } catch is CancellationError {
                return
            } catch {
                logger.error("lifecycles were not applied", metadata: ["error": "\(error)"])
            }
            try? await time.sleep(for: configuration.lifecycleDay / Self.walksPerDay)
        }
    }

    private func applyLifecycles() async throws {
        var position: BucketID?
        while true {
            let page = try await metadata.documents(.lifecycle, after: position, limit: Self.bucketPageSize)
            for found in page {
                do {
                    try await apply(try LifecycleConfiguration(document: found.text), to: found.bucket)
                } catch is CancellationError {
                    throw CancellationError()
                } catch MetadataError.noSuchBucket {
                    continue
                } catch {
                    logger.error(
                        "the lifecycle of a bucket was not applied", metadata: ["bucket": "\(found.bucket.name)", "error": "\(error)"])
                }
            }
            guard page.count == Self.bucketPageSize, let last = page.last else { return }
            position = last.bucket.id
        }
    }

    private func apply(_ configuration: LifecycleConfiguration, to bucket: BucketRecord) async throws {
        let scan = LifecycleScan(configuration, day: LifecycleDay(self.configuration.lifecycleDay), now: time.now())
        // A bucket can have many versions: they are gone through only when some of them may be to go.
        for prefix in configuration.prefixes(where: \.isAboutVersions) { try await expireVersions(of: bucket, prefix: prefix, scan) }
        for prefix in configuration.prefixes(where: { $0.abortsUploadsAfter != nil }) {
            try await abortUploads(of: bucket, prefix: prefix, scan)
        }
    }

    private func expireVersions(of bucket: BucketRecord, prefix: String, _ scan: LifecycleScan) async throws {
        var scan = scan
        var request = ListRequest(prefix: prefix, limit: Self.versionPageSize)
        var position: VersionSelector?
        while true {
            try Task.checkCancellation()
            let page = try await metadata.listVersions(request, after: position, in: bucket.id)
            var findings = page.elements.flatMap { scan.take($0) }
            if page.next == nil { findings += scan.end() }
            try await carryOut(findings, in: bucket)
            guard let next = page.next, let last = page.elements.last else { return }
            request.after = next
            position = .named(last.version.id)
        }
    }

    private func carryOut(_ findings: [LifecycleScan.Finding], in bucket: BucketRecord) async throws {
        for start in stride(from: 0, to: findings.count, by: Self.ordersAtOnce) {
            let now = time.now()
            let orders = findings[start..<min(start + Self.ordersAtOnce, findings.count)].map { finding in
                ExpiryOrder(
                    kind: finding.kind, key: finding.key, version: finding.version, marker: VersionID(time: now, random: random))
            }
            let done = try await metadata.expire(orders, in: bucket.id, owner: bucket.owner, at: now)
            lifecycleMetrics.count(done)
            if !done.isEmpty { garbageAdded.raise() }
        }
    }

    private func abortUploads(of bucket: BucketRecord, prefix: String, _ scan: LifecycleScan) async throws {
        var request = ListRequest(prefix: prefix, limit: Self.uploadPageSize)
        var position: UploadID?
        while true {
            try Task.checkCancellation()
            let page = try await metadata.uploads(request, after: position, in: bucket.id)
            for upload in page.elements where scan.isOverdue(upload) {
                // One that was completed meanwhile is no upload any more.
                guard try await metadata.abortUpload(upload.id, at: time.now()) else { continue }
                lifecycleMetrics.countUpload()
                garbageAdded.raise()
            }
            guard let next = page.next, let last = page.elements.last else { return }
            request.after = next
            position = last.id
        }
    }
}

extension ObjectVersion {
    fileprivate var id: VersionID {
        switch self {
        case .object(let object): object.version
        case .deleteMarker(let marker): marker.version
        }
    }
}
