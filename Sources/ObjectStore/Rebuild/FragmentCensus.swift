package import Core

/// The names of all fragments that nodes were found to have, in the order of their blobs. Takes 32 bytes for each, in memory.
package struct FragmentCensus: Sendable {
    package struct Entry: Comparable, Sendable {
        package let blob: BlobID
        package let chunk: UInt32
        package let byteCount: UInt32
        /// Of the node, in the order in which they were named.
        package let node: UInt16
        package let number: UInt8

        package var fragment: FragmentID { FragmentID(chunk: ChunkID(blob: blob, index: chunk), number: number) }

        package static func < (left: Entry, right: Entry) -> Bool {
            (left.blob, left.chunk, left.number, left.node) < (right.blob, right.chunk, right.number, right.node)
        }
    }

    private let entries: [Entry]

    /// - Parameter entries: in any order.
    package init(_ entries: [Entry]) { self.entries = entries.sorted() }

    package var fragmentCount: Int { entries.count }

    package static func entries(_ fragments: [FragmentInfo], on node: Int) -> [Entry] {
        fragments.map {
            Entry(
                blob: $0.id.chunk.blob, chunk: $0.id.chunk.index, byteCount: UInt32(clamping: $0.byteCount), node: UInt16(clamping: node),
                number: $0.id.number)
        }
    }

    /// What was found of a blob: nothing, perhaps.
    package subscript(blob: BlobID) -> FoundBlob {
        let start = firstIndex { $0.blob >= blob }
        return found(from: start, blob)
    }

    /// Up to `limit` blobs after `blob`, in their order, which is that of their birth.
    package func blobs(after blob: BlobID?, limit: Int) -> [FoundBlob] {
        var start = blob.map { blob in firstIndex { $0.blob > blob } } ?? 0
        var blobs: [FoundBlob] = []
        while blobs.count < limit, start < entries.count {
            let next = found(from: start, entries[start].blob)
            blobs.append(next)
            start = next.fragments.endIndex
        }
        return blobs
    }

    /// Up to `limit` blobs before `blob`, the youngest first.
    package func blobs(before blob: BlobID?, limit: Int) -> [FoundBlob] {
        var end = blob.map { blob in firstIndex { $0.blob >= blob } } ?? entries.count
        var blobs: [FoundBlob] = []
        while blobs.count < limit, end > 0 {
            let next = self[entries[end - 1].blob]
            blobs.append(next)
            end = next.fragments.startIndex
        }
        return blobs
    }

    private func found(from start: Int, _ blob: BlobID) -> FoundBlob {
        var end = start
        while end < entries.count, entries[end].blob == blob { end += 1 }
        return FoundBlob(id: blob, fragments: entries[start..<end])
    }

    /// The first for which `isBehind` holds; it holds for all that follow.
    private func firstIndex(_ isBehind: (Entry) -> Bool) -> Int {
        var (low, high) = (0, entries.count)
        while low < high {
            let middle = low + (high - low) / 2
            if isBehind(entries[middle]) { high = middle } else { low = middle + 1 }
        }
        return low
    }
}
