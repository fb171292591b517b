internal import Core
internal import ErasureCoding
internal import Metadata
internal import Placement

/// What a snapshot knows, held against what the nodes have.
extension MetadataRebuild {
    private static let pageSize = 500
    /// Copies of which one that is acknowledged has two, where two are kept.
    private static let usualQuorum = 2

    /// Goes through all objects of the snapshot. Those of which there is nothing left are removed; the others stay.
    func review(_ metadata: any MetadataStore, _ survey: Survey, _ report: inout RebuildReport) async throws {
        let replicas = try await metadata.layouts().last.flatMap { try? Layout(decoding: $0.encoded).replicas } ?? 1
        for bucket in try await metadata.buckets() {
            var position: String?
            while true {
                let objects = try await metadata.objects(in: bucket.id, after: position, limit: Self.pageSize)
                for object in objects {
                    let (finding, detail) = judge(object, survey, replicas: replicas)
                    if finding == .gone { _ = try await metadata.deleteObject(in: bucket.id, key: object.key, at: time.now()) }
                    // Old snapshots come and go.
                    guard !bucket.isInternal else { continue }
                    report.add(finding, bucket: bucket.name, key: object.key, blob: object.blobs.first?.id, detail: detail)
                }
                guard objects.count == Self.pageSize, let last = objects.last else { break }
                position = last.key
            }
        }
    }

    private func judge(_ object: ObjectRecord, _ survey: Survey, replicas: Int) -> (RebuildReport.Finding, String) {
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
            guard case .readable(let fewest) = survival, fewest < quorum(of: blob.redundancy, replicas: replicas) else { continue }
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
}
