internal import Core
internal import ErasureCoding
internal import Metadata
internal import Placement
import Synchronization

/// How many more of its fragments a chunk can lose before it is lost: decided by its layout, class and partition alone, so that a walk over
/// all blobs can tell without asking anybody.
final class RestorationUrgency: Sendable {
    private struct Place: Hashable {
        let layoutVersion: Int
        let storageClass: StorageClass
        let partition: Int
    }

    private let target: Layout
    private let gone: Set<NodeID>
    private let map: ClusterMap
    private let margins = Mutex<[Place: Int]>([:])
    /// Of chunks that have lost something and can be restored, in the order in which they should be; those of the greatest are left to the
    /// pass over everything, unless others are to move with it.
    let marginsToServeFirst: [Int]

    /// - Parameters:
    ///   - blobs: what is still where a layout before `target` wants it.
    ///   - gone: nodes that do not answer, or do not count any more.
    init(of blobs: UnmovedBlobs, before target: Layout, without gone: Set<NodeID>, map: ClusterMap) {
        self.target = target
        self.gone = gone
        self.map = map
        guard !gone.isEmpty, let oldest = blobs.oldestVersion else {
            marginsToServeFirst = []
            return
        }
        var damaged: Set<Int> = []
        var hasOthers = false
        for layout in (oldest..<target.version).compactMap(map.layout) where layout.partitionCount == target.partitionCount {
            for (storageClass, _) in blobs.classes {
                for partition in 0..<target.partitionCount {
                    let before = map.nodes(of: partition, storageClass, in: layout).compactMap { $0 }
                    // Nothing to do, or nothing that can be done.
                    guard map.nodes(of: partition, storageClass, in: target).contains(where: { $0.map { !before.contains($0) } ?? false })
                    else { continue }
                    let margin = Self.margin(before, storageClass, without: gone)
                    if before.contains(where: gone.contains), margin >= 0 { damaged.insert(margin) } else { hasOthers = true }
                }
            }
        }
        let ordered = damaged.sorted()
        marginsToServeFirst = hasOthers ? ordered : ordered.dropLast()
    }

    private static func margin(_ homes: [NodeID], _ storageClass: StorageClass, without gone: Set<NodeID>) -> Int {
        let needed = if case .coded(let code) = storageClass { code.dataCount } else { 1 }
        return homes.count { !gone.contains($0) } - needed
    }

    /// Fragments of a chunk that can still be lost; nil when none of them is gone.
    func margin(of chunk: ChunkID, of blob: BlobRecord) -> Int? {
        let storageClass = blob.redundancy
        let place = Place(layoutVersion: blob.layoutVersion, storageClass: storageClass, partition: map.partitions.partition(of: chunk))
        let margin = margins.withLock { margins in
            if let known = margins[place] { return known }
            let layout = map.layout(version: blob.layoutVersion) ?? map.current
            let homes = map.nodes(of: place.partition, storageClass, in: layout).compactMap { $0 }
            let margin = homes.contains(where: gone.contains) ? Self.margin(homes, storageClass, without: gone) : .max
            margins[place] = margin
            return margin
        }
        return margin == .max ? nil : margin
    }
}
