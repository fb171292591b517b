internal import Core
internal import ErasureCoding
internal import Metadata

extension BlobRecord {
    /// How its chunks are stored. What no version of the program ever wrote is looked for as if there was one copy of it.
    var redundancy: StorageClass { StorageClass(storageClass) ?? .copies(1) }

    /// The names of its chunks, in order: computed, so none are kept anywhere.
    var chunks: LazyMapCollection<Range<Int>, ChunkID> {
        let id = id
        return (0..<chunkCount).lazy.map { ChunkID(blob: id, index: UInt32($0)) }
    }

    /// Bytes of content in a chunk.
    func byteCount(of chunk: ChunkID) -> Int {
        Int(min(Int64(chunkSize), byteCount - Int64(chunk.index) * Int64(chunkSize)))
    }

    /// Bytes of every fragment of a chunk.
    func fragmentByteCount(of chunk: ChunkID) -> Int {
        let byteCount = byteCount(of: chunk)
        switch redundancy {
        case .replicated, .copies: return byteCount
        case .coded(let code): return code.fragmentByteCount(chunkByteCount: byteCount)
        }
    }
}
