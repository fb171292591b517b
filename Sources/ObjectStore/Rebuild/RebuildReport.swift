public import Core

/// What a rebuild of the metadata found, and what it made of it.
public struct RebuildReport: Sendable {
    /// Entries that are kept; of the rest only the number.
    static let entryLimit = 100_000

    /// What became of a blob or an object that was found, or of which a snapshot knows.
    public enum Finding: String, CaseIterable, Sendable {
        /// As the snapshot has it, and whole.
        case known
        /// Younger than the snapshot, or there is none; whole, and visible again.
        case recovered
        /// Whole, but perhaps deleted: in the bucket for what is doubtful, under `bucket/key`.
        case doubtful
        /// As the snapshot has it, and readable, but of fewer fragments than it should have: damaged, or deleted since.
        case weak
        /// As the snapshot has it, and not wholly readable.
        case damaged
        /// The snapshot has it, and no node has anything of it: deleted since, or lost. Not visible any more.
        case gone
        /// No node that was asked has anything of it; others, that were not, may. Left as the snapshot has it.
        case missing
        /// Older than the snapshot and unknown to it: deleted or replaced. Not visible.
        case deleted
        /// An upload that never came to its end. Not visible.
        case unfinished
        /// A finished upload of which a chunk is not to be had. Not visible.
        case incomplete
        /// Replaced by a younger version of its key. Not visible.
        case superseded
        /// A part of something that only the metadata knew. Not visible.
        case part
        /// What it is cannot be told: it has no descriptor that this version can read. Not visible.
        case unreadable
    }

    public struct Entry: Hashable, Sendable {
        public let finding: Finding
        public let bucket: String?
        public let key: String?
        /// The first of its blobs.
        public let blob: BlobID?
        public let detail: String
    }

    public struct Snapshot: Hashable, Sendable {
        public let name: String
        /// It has everything that was committed before then.
        public let createdAt: Timestamp
        public let objectCount: Int64
    }

    public let cluster: ClusterID
    public let nodeCount: Int
    public let fragmentCount: Int
    /// nil when there was none to be used.
    public internal(set) var snapshot: Snapshot?
    public private(set) var counts: [Finding: Int] = [:]
    /// Everything but what is as it should be, in the order in which it was found.
    public private(set) var entries: [Entry] = []

    init(cluster: ClusterID, nodeCount: Int, fragmentCount: Int) {
        self.cluster = cluster
        self.nodeCount = nodeCount
        self.fragmentCount = fragmentCount
    }

    public subscript(finding: Finding) -> Int { counts[finding] ?? 0 }

    mutating func add(_ finding: Finding, bucket: String?, key: String?, blob: BlobID?, detail: String = "") {
        counts[finding, default: 0] += 1
        guard finding != .known, finding != .recovered, entries.count < Self.entryLimit else { return }
        entries.append(Entry(finding: finding, bucket: bucket, key: key, blob: blob, detail: detail))
    }
}
