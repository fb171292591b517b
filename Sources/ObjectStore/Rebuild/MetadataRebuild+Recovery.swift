internal import Core
internal import Logging
internal import Metadata

/// What the snapshot does not know, found on the nodes and told from its descriptors.
extension MetadataRebuild {
    private static let batchSize = 256
    /// How much earlier than a snapshot an upload may have had all its bytes and still have been committed after it.
    private static let commitDelay: Duration = .seconds(600)

    /// What is to become of a blob that the snapshot does not know.
    private enum Verdict: Sendable {
        case visible(RecoveredObject)
        case doubtful(RecoveredObject, detail: String)
        case hidden(RebuildReport.Finding, BlobDescriptor.Object?, detail: String)
    }

    /// Makes visible what was uploaded after the snapshot, or everything when there is none.
    /// - Parameter snapshotAt: the snapshot has all that was committed before.
    func recover(
        from survey: Survey, youngerThan snapshotAt: Timestamp?, into metadata: any MetadataStore, _ report: inout RebuildReport
    ) async throws {
        let newestLayout = try await metadata.layouts().last?.version ?? 1
        var buckets = Dictionary(uniqueKeysWithValues: try await metadata.buckets().map { ($0.name, $0) })
        var position: BlobID?
        while true {
            let blobs = survey.census.blobs(after: position, limit: Self.batchSize)
            guard let last = blobs.last else { return }
            position = last.id
            let known = try await metadata.knownBlobs(among: blobs.map(\.id))
            let unknown = blobs.filter { !known.contains($0.id) }
            let verdicts = try await mapping(unknown) {
                try await self.judge($0, survey, snapshotAt: snapshotAt, newestLayout: newestLayout)
            }
            for (blob, verdict) in zip(unknown, verdicts) {
                try Task.checkCancellation()
                switch verdict {
                case .hidden(_, let object, _) where object?.bucket == MetadataSnapshots.bucketName: break
                case .hidden(let finding, let object, let detail):
                    report.add(finding, bucket: object?.bucket, key: object?.key, blob: blob.id, detail: detail)
                case .visible(let object):
                    try await commit(object, to: object.bucket, key: object.key, .recovered, "", &buckets, metadata, &report)
                case .doubtful(let object, let detail) where options.restoresDoubtful:
                    try await commit(object, to: object.bucket, key: object.key, .recovered, detail, &buckets, metadata, &report)
                case .doubtful(let object, let detail):
                    try await commit(
                        object, to: Self.doubtfulBucketName, key: "\(object.bucket)/\(object.key)", .doubtful, detail, &buckets, metadata,
                        &report)
                }
            }
        }
    }

    private func judge(_ blob: FoundBlob, _ survey: Survey, snapshotAt: Timestamp?, newestLayout: Int) async throws -> Verdict {
        guard let descriptor = try await descriptor(of: blob, survey) else {
            return .hidden(.unreadable, nil, detail: "no descriptor that can be read")
        }
        guard let content = descriptor.content else {
            return .hidden(.unfinished, descriptor.object, detail: "the upload did not come to its end")
        }
        if let snapshotAt, content.completedAt < snapshotAt.advanced(by: .zero - Self.commitDelay).millisecondsSince1970 {
            return .hidden(.deleted, descriptor.object, detail: "older than the snapshot, which does not know it")
        }
        guard descriptor.object != nil else { return .hidden(.part, nil, detail: "a part of something that only a snapshot knows") }
        guard let object = RecoveredObject(blob, descriptor, newestLayout: newestLayout) else {
            return .hidden(.unreadable, descriptor.object, detail: "its descriptor makes no sense")
        }
        switch blob.survival(as: object.blob) {
        case .gone: return .hidden(.incomplete, descriptor.object, detail: "nothing of it")
        case .damaged(let chunk):
            return .hidden(.incomplete, descriptor.object, detail: "too few fragments of chunk \(chunk)")
        case .readable(let fewest) where fewest < object.quorum && !object.isInternal:
            return .doubtful(
                object,
                detail: "\(fewest) fragments of a chunk where \(object.quorum) were acknowledged: damaged, or deleted while a node was away"
            )
        case .readable: break
        }
        if let snapshotAt, object.completedAt < snapshotAt, !object.isInternal {
            return .doubtful(object, detail: "uploaded just before the snapshot, which does not know it: perhaps deleted at once")
        }
        return .visible(object)
    }

    private func commit(
        _ object: RecoveredObject, to bucketName: String, key: String, _ finding: RebuildReport.Finding, _ detail: String,
        _ buckets: inout [String: BucketRecord], _ metadata: any MetadataStore, _ report: inout RebuildReport
    ) async throws {
        let bucket: BucketRecord
        if let known = buckets[bucketName] {
            bucket = known
        } else {
            bucket = try await metadata.ensureBucket(named: bucketName, at: time.now())
            buckets[bucketName] = bucket
        }
        if let there = try await metadata.object(in: bucket.id, key: key), there.version > object.version {
            report.add(
                .superseded, bucket: object.bucket, key: object.key, blob: object.blob.id, detail: "version \(there.version) is there")
            return
        }
        try await metadata.commit(object.record(in: bucket.id, key: key), repairs: [])
        guard !bucket.isInternal else { return }
        report.add(finding, bucket: object.bucket, key: object.key, blob: object.blob.id, detail: detail)
    }
}

extension RecoveredObject {
    /// Whether it is the store's own.
    fileprivate var isInternal: Bool { bucket == MetadataSnapshots.bucketName }
}
