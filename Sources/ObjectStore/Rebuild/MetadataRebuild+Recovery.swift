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

    /// Where recovered objects go.
    private struct Buckets {
        var known: [String: BucketRecord]
        /// Those that no snapshot knows: nobody can say whether older versions were kept there.
        var fresh: Set<String> = []
    }

    /// Makes visible what was uploaded after the snapshot, or everything when there is none.
    /// - Parameters:
    ///   - snapshotAt: the snapshot has all that was committed before.
    ///   - absent: versions of the snapshot of which there is nothing, but for what turns up here.
    func recover(
        from survey: Survey, youngerThan snapshotAt: Timestamp?, into metadata: any MetadataStore, _ absent: inout Set<AbsentVersion>,
        _ report: inout RebuildReport
    ) async throws {
        let newestLayout = try await metadata.layouts().last?.version ?? 1
        var buckets = Buckets(known: Dictionary(uniqueKeysWithValues: try await metadata.buckets().map { ($0.name, $0) }))
        let order = ReencodingID(time: time.now(), random: random)
        var position: BlobID?
        while true {
            let blobs = survey.census.blobs(after: position, limit: Self.batchSize)
            guard let last = blobs.last else { break }
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
                case .visible(let object), .doubtful(let object, _):
                    if try await replaceBlob(by: object, survey, buckets, order, metadata, &report) { continue }
                    var (name, key, finding, detail) = (object.bucket, object.key, RebuildReport.Finding.recovered, "")
                    if case .doubtful(_, let reason) = verdict {
                        detail = reason
                        if !options.restoresDoubtful { (name, key, finding) = (Self.doubtfulBucketName, "\(name)/\(key)", .doubtful) }
                    }
                    try await commit(object, to: name, key: key, finding, detail, &buckets, &absent, metadata, &report)
                }
            }
        }
        try await shareReplacements(among: absent, survey, order, metadata, &report)
        try await metadata.finishReencoding(order)
        // Their older versions stay; what is written from now on is not kept unless somebody asks for it.
        for name in buckets.fresh {
            guard let bucket = buckets.known[name], bucket.versioning == .enabled else { continue }
            try await metadata.setVersioning(.suspended, of: bucket.id)
        }
    }

    /// Gives copies what was found for one of them: they share blobs, and a blob that was stored anew names one version only.
    private func shareReplacements(
        among absent: Set<AbsentVersion>, _ survey: Survey, _ order: ReencodingID, _ metadata: any MetadataStore,
        _ report: inout RebuildReport
    ) async throws {
        for place in absent {
            try Task.checkCancellation()
            guard case .object(let known)? = try await metadata.version(.named(place.version), of: place.key, in: place.bucket) else {
                continue
            }
            let found = try await metadata.replacements(of: known.blobs.map(\.id), by: order)
            guard !known.blobs.isEmpty, known.blobs.allSatisfy({ found[$0.id] != nil }),
                try await metadata.replaceBlobs(
                    of: known, with: known.blobs.compactMap { found[$0.id] }, repairs: [], by: order, at: time.now())
            else { continue }
            report.add(
                .recovered, bucket: nil, key: known.key, blob: found[known.blobs[0].id]?.id,
                detail: "its bytes are those of a version that was stored anew")
        }
    }

    /// Gives a version that the metadata know the blob in which it was stored anew after the snapshot: all else that is known of it stays.
    /// - Returns: false when there is no such version.
    private func replaceBlob(
        by object: RecoveredObject, _ survey: Survey, _ buckets: Buckets, _ order: ReencodingID, _ metadata: any MetadataStore,
        _ report: inout RebuildReport
    ) async throws -> Bool {
        guard let bucket = buckets.known[object.bucket],
            case .object(let known)? = try await metadata.version(.named(object.version), of: object.key, in: bucket.id),
            known.etag == object.etag, known.blobs.count == 1, known.blobs[0].byteCount == object.blob.byteCount
        else { return false }
        let isWhole = judge(known, survey).0 == .known
        if !isWhole {
            _ = try await metadata.replaceBlobs(of: known, with: [object.blob], repairs: [], by: order, at: time.now())
        }
        guard !bucket.isInternal else { return true }
        report.add(
            isWhole ? .superseded : .recovered, bucket: object.bucket, key: object.key, blob: object.blob.id,
            detail: isWhole ? "the same version is there in blob \(known.blobs[0].id)" : "")
        return true
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
        _ buckets: inout Buckets, _ absent: inout Set<AbsentVersion>, _ metadata: any MetadataStore, _ report: inout RebuildReport
    ) async throws {
        var bucket: BucketRecord
        if let known = buckets.known[bucketName] {
            bucket = known
        } else {
            bucket = try await metadata.ensureBucket(named: bucketName, at: time.now())
            buckets.fresh.insert(bucketName)
            buckets.known[bucketName] = bucket
        }
        let isFresh = buckets.fresh.contains(bucketName) && !bucket.isInternal
        // Where older versions are kept, whatever was committed after the snapshot is later than what the snapshot has.
        if bucket.versioning == .off || isFresh, let there = try await metadata.object(in: bucket.id, key: key) {
            let place = AbsentVersion(bucket: bucket.id, key: key, version: there.version)
            if there.version > object.version, !absent.contains(place) {
                return report.add(
                    .superseded, bucket: object.bucket, key: object.key, blob: object.blob.id, detail: "version \(there.version) is there")
            }
            if isFresh, bucket.versioning == .off {
                try await metadata.setVersioning(.enabled, of: bucket.id)
                bucket = bucket.with(.enabled)
                buckets.known[bucketName] = bucket
            } else if bucket.versioning == .off, absent.remove(place) == nil, !bucket.isInternal {
                report.add(
                    .superseded, bucket: bucketName, key: key, blob: there.blobs.first?.id,
                    detail: "version \(object.version), which was written later, takes its place")
            }
        }
        do {
            try await metadata.commit(object.record(in: bucket.id, key: key), repairs: [])
        } catch MetadataError.protected {
            return report.add(
                .superseded, bucket: object.bucket, key: object.key, blob: object.blob.id, detail: "what it would replace is locked")
        }
        guard !bucket.isInternal else { return }
        report.add(finding, bucket: object.bucket, key: object.key, blob: object.blob.id, detail: detail)
    }
}

extension BucketRecord {
    fileprivate func with(_ versioning: Versioning) -> BucketRecord {
        BucketRecord(
            id: id, name: name, createdAt: createdAt, owner: owner, versioning: versioning, isLocking: isLocking, storageClass: storageClass
        )
    }
}

extension RecoveredObject {
    /// Whether it is the store's own.
    fileprivate var isInternal: Bool { bucket == MetadataSnapshots.bucketName }
}
