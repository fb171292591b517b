internal import Core
internal import ErasureCoding
internal import Metadata
internal import Placement

/// A version that the snapshot knows and of which no node has anything: deleted since, lost, or stored anew in another blob.
struct AbsentVersion: Hashable, Sendable {
    let bucket: BucketID
    let key: String
    let version: VersionID
}

/// What a snapshot knows, held against what the nodes have.
extension MetadataRebuild {
    private static let pageSize = 500
    /// Copies of which one that is acknowledged has two, where two are kept.
    private static let usualQuorum = 2

    /// Goes through all versions of all objects of the snapshot, and changes nothing.
    /// - Returns: those of which there is nothing left. They are not in the report yet.
    func review(_ metadata: any MetadataStore, _ survey: Survey, _ report: inout RebuildReport) async throws -> Set<AbsentVersion> {
        var absent: Set<AbsentVersion> = []
        for bucket in try await metadata.buckets() {
            var position: String?
            while true {
                let objects = try await metadata.objects(in: bucket.id, after: position, limit: Self.pageSize)
                for object in objects { review(object, in: bucket, survey, &absent, &report) }
                guard objects.count == Self.pageSize, let last = objects.last else { break }
                position = last.key
            }
            // Without versioning there are no others.
            if bucket.versioning != .off { try await reviewOlder(in: bucket, metadata, survey, &absent, &report) }
        }
        return absent
    }

    private func reviewOlder(
        in bucket: BucketRecord, _ metadata: any MetadataStore, _ survey: Survey, _ absent: inout Set<AbsentVersion>,
        _ report: inout RebuildReport
    ) async throws {
        var request = ListRequest(limit: Self.pageSize)
        var position: VersionSelector?
        while true {
            let page = try await metadata.listVersions(request, after: position, in: bucket.id)
            for listed in page.elements where !listed.isLatest {
                guard case .object(let object) = listed.version,
                    case .object(let whole)? = try await metadata.version(.named(object.version), of: object.key, in: bucket.id)
                else { continue }
                review(whole, in: bucket, survey, &absent, &report)
            }
            guard page.next != nil, let last = page.elements.last?.version else { return }
            request.after = last.key
            position = .named(last.version)
        }
    }

    private func review(
        _ object: ObjectRecord, in bucket: BucketRecord, _ survey: Survey, _ absent: inout Set<AbsentVersion>,
        _ report: inout RebuildReport
    ) {
        let (finding, detail) = judge(object, survey)
        if finding == .gone {
            absent.insert(AbsentVersion(bucket: bucket.id, key: object.key, version: object.version))
        } else if !bucket.isInternal {
            // Old snapshots come and go.
            report.add(finding, bucket: bucket.name, key: object.key, blob: object.blobs.first?.id, detail: detail)
        }
    }

    /// What an object that the metadata know has come to.
    func judge(_ object: ObjectRecord, _ survey: Survey) -> (RebuildReport.Finding, String) {
        let survivals = object.blobs.map { ($0, survey.census[$0.id].survival(as: $0)) }
        if !survivals.isEmpty, survivals.allSatisfy({ $1 == .gone }) {
            return options.isPartial
                ? (.missing, "no node that was asked has anything of it") : (.gone, "no node has anything of it: deleted since, or lost")
        }
        for (blob, survival) in survivals {
            switch survival {
            case .gone: return (.damaged, "no node has anything of blob \(blob.id)")
            case .damaged(let chunk): return (.damaged, "too few fragments of chunk \(blob.id)/\(chunk)")
            case .readable: continue
            }
        }
        for (blob, survival) in survivals {
            guard case .readable(let fewest) = survival, fewest < quorum(of: blob.redundancy, replicas: survey.replicas) else { continue }
            return (.weak, "a chunk has \(fewest) fragments: damaged, or deleted while a node was away")
        }
        return (.known, "")
    }

    private func quorum(of storageClass: StorageClass, replicas: Int) -> Int {
        switch storageClass {
        case .replicated: min(Self.usualQuorum, replicas)
        case .copies(let count): min(Self.usualQuorum, count)
        case .coded(let code): code.dataCount + 1
        }
    }

    /// Removes the versions of which nothing was found, not even in another blob. What came before one becomes the latest then.
    func remove(
        _ absent: Set<AbsentVersion>, from metadata: any MetadataStore, _ survey: Survey, _ report: inout RebuildReport
    ) async throws {
        let buckets = Dictionary(uniqueKeysWithValues: try await metadata.buckets().map { ($0.id, $0) })
        for place in absent.sorted(by: { ($0.bucket.value, $0.key, $0.version) < ($1.bucket.value, $1.key, $1.version) }) {
            try Task.checkCancellation()
            guard let bucket = buckets[place.bucket],
                case .object(let object)? = try await metadata.version(.named(place.version), of: place.key, in: place.bucket)
            else { continue }
            var (finding, detail) = judge(object, survey)
            if finding == .gone, try await !remove(object, from: metadata) {
                // It could not be deleted, so it was lost.
                (finding, detail) = (.damaged, "no node has anything of it, and it is locked against deletion")
            }
            // It has another blob by now.
            guard finding == .gone || finding == .damaged, !bucket.isInternal else { continue }
            report.add(finding, bucket: bucket.name, key: object.key, blob: object.blobs.first?.id, detail: detail)
        }
    }

    /// - Returns: false for a version that is locked: it stays.
    func remove(_ object: ObjectRecord, from metadata: any MetadataStore) async throws -> Bool {
        do {
            _ = try await metadata.delete(
                .named(object.version), of: object.key, in: object.bucket, marker: object.version, owner: nil, condition: .none,
                bypassingGovernance: false, at: time.now())
            return true
        } catch MetadataError.protected {
            return false
        }
    }
}

extension ObjectVersion {
    fileprivate var version: VersionID {
        switch self {
        case .object(let object): object.version
        case .deleteMarker(let marker): marker.version
        }
    }
}
