package import Core
internal import ErasureCoding
package import Metadata

/// What was found of one blob on all nodes.
package struct FoundBlob: Sendable {
    package let id: BlobID
    /// By chunk, fragment number and node.
    package let fragments: ArraySlice<FragmentCensus.Entry>

    /// Whether a blob's bytes can be read.
    package enum Survival: Hashable, Sendable {
        /// No fragment was found anywhere.
        case gone
        /// Of this chunk there are too few.
        case damaged(chunk: UInt32)
        /// All can be read; of the chunk that has fewest there are so many fragments.
        case readable(fewest: Int)
    }

    /// The greatest chunk of which anything was found.
    package var lastChunk: UInt32? { fragments.last?.chunk }

    func fragments(of chunk: UInt32) -> [FragmentCensus.Entry] { fragments.filter { $0.chunk == chunk } }

    /// - Parameter blob: what the blob is said to be. Fragments of another length, which no such blob has, are not counted.
    package func survival(as blob: BlobRecord) -> Survival {
        guard !fragments.isEmpty else { return .gone }
        let redundancy = blob.redundancy
        let needed = redundancy.neededFragmentCount
        var fewest = Int.max
        var next = fragments.startIndex
        for chunk in blob.chunks {
            let expected = blob.fragmentByteCount(of: chunk)
            var copies = 0
            var numbers: Set<UInt8> = []
            while next < fragments.endIndex, fragments[next].chunk <= chunk.index {
                let entry = fragments[next]
                next += 1
                guard entry.chunk == chunk.index, Int(entry.byteCount) == expected, redundancy.fragmentNumbers.contains(entry.number) else {
                    continue
                }
                copies += 1
                numbers.insert(entry.number)
            }
            // Of a code, two copies of one fragment are worth one.
            let count = redundancy.fragmentNumbers.count > 1 ? numbers.count : copies
            guard count >= needed else { return .damaged(chunk: chunk.index) }
            fewest = min(fewest, count)
        }
        return .readable(fewest: fewest)
    }
}

extension StorageClass {
    /// Fragments without which a chunk cannot be read.
    var neededFragmentCount: Int {
        switch self {
        case .replicated, .copies: 1
        case .coded(let code): code.dataCount
        }
    }
}
