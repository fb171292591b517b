package import Core
package import ErasureCoding
package import Metadata

/// The part of one chunk that a read needs.
package struct ChunkRead: Equatable, Sendable {
    package let chunk: ChunkID
    package let storageClass: StorageClass
    package let layoutVersion: Int
    /// Bytes within the chunk.
    package let range: Range<Int>
    /// Bytes of the whole chunk.
    package let chunkByteCount: Int
}

/// The chunks that hold a range of an object, in order: computed, whatever the object's size, one at a time.
package struct ReadPlan: Sequence, IteratorProtocol, Sendable {
    private let blobs: [BlobRecord]
    private var blobIndex = 0
    /// Where the current blob begins in the object.
    private var blobStart: Int64 = 0
    private var range: Range<Int64>

    package init(blobs: [BlobRecord], range: Range<Int64>) {
        self.blobs = blobs
        self.range = range
    }

    package mutating func next() -> ChunkRead? {
        guard !range.isEmpty else { return nil }
        while blobIndex < blobs.count, range.lowerBound >= blobStart + blobs[blobIndex].byteCount {
            blobStart += blobs[blobIndex].byteCount
            blobIndex += 1
        }
        guard blobIndex < blobs.count else { return nil }
        let blob = blobs[blobIndex]
        let offset = range.lowerBound - blobStart
        let index = offset / Int64(blob.chunkSize)
        let chunkStart = index * Int64(blob.chunkSize)
        let chunkByteCount = Int(Swift.min(Int64(blob.chunkSize), blob.byteCount - chunkStart))
        let lower = Int(offset - chunkStart)
        let upper = Int(Swift.min(Int64(chunkByteCount), range.upperBound - blobStart - chunkStart))
        range = (range.lowerBound + Int64(upper - lower))..<range.upperBound
        return ChunkRead(
            chunk: ChunkID(blob: blob.id, index: UInt32(index)), storageClass: blob.redundancy, layoutVersion: blob.layoutVersion,
            range: lower..<upper,
            chunkByteCount: chunkByteCount)
    }
}
