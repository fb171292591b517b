internal import ChunkTransport
internal import Core
internal import Metadata
internal import Placement

/// The other half of the sweep: what the metadata wants on a node and the node has not is queued for repair.
extension ObjectStore {
    /// A node's fragments as far as they fall into one of several slices, so that a large node is compared in bounded memory:
    /// by hash, because one in 2^64 that is overlooked is found by the next process.
    struct Inventory {
        /// Fragments in a slice, about: some 16 MiB.
        private static let sliceSize: Int64 = 500_000

        static func sliceCount(fragments: Int64) -> Int { Int(fragments / sliceSize) + 1 }

        let slice: Int
        let sliceCount: Int
        private var held: Set<Int> = []

        init(slice: Int, of sliceCount: Int) {
            self.slice = slice
            self.sliceCount = sliceCount
        }

        private func covers(_ hash: Int) -> Bool { Int(UInt(bitPattern: hash) >> 1) % sliceCount == slice }

        mutating func insert(_ fragment: FragmentID) {
            let hash = fragment.hashValue
            if covers(hash) { held.insert(hash) }
        }

        /// Whether a fragment belongs to the slice and is not in it.
        func lacks(_ fragment: FragmentID) -> Bool {
            let hash = fragment.hashValue
            return covers(hash) && !held.contains(hash)
        }
    }

    private static let pageSize = 500

    /// Queues what is missing on a node for repair.
    /// - Parameters:
    ///   - inventory: what the node had, listed from `listedFrom` on. Younger blobs, and those of uploads that have not ended, are
    ///     left out: their fragments may have come after the listing.
    /// - Returns: how many fragments are missing.
    func requestMissing(on node: NodeID, inventory: Inventory, listedFrom: Timestamp) async throws -> Int {
        var missingCount = 0
        var last: BlobID?
        repeat {
            let page = try await metadata.blobs(after: last, limit: Self.pageSize)
            last = page.count < Self.pageSize ? nil : page.last?.id
            let settled = page.filter { $0.id.uuid.time < listedFrom && !activeBlobs.contains($0.id) }
            let missing = settled.flatMap { self.missing(of: $0, on: node, inventory: inventory) }
            try await metadata.enqueueRepairs(missing)
            missingCount += missing.count
        } while last != nil
        if missingCount > 0 { repairRequested.raise() }
        return missingCount
    }

    private func missing(of blob: BlobRecord, on node: NodeID, inventory: Inventory) -> [RepairRecord] {
        let layout = map.layout(version: blob.layoutVersion) ?? map.current
        return blob.chunks.compactMap { chunk in
            guard let home = map.homes(of: chunk, blob.redundancy, in: layout).first(where: { $0.node == node }),
                inventory.lacks(home.fragment)
            else { return nil }
            return repairRecord(of: home.fragment, blob.redundancy, on: node, layoutVersion: layout.version, reason: .missing)
        }
    }
}
