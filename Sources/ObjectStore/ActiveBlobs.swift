internal import Core
import Synchronization

/// Blobs that somebody is writing or reading at this moment: the collector leaves them alone. Safe from any thread.
final class ActiveBlobs: Sendable {
    private let counts = Mutex<[BlobID: Int]>([:])

    func insert(_ blob: BlobID) { counts.withLock { $0[blob, default: 0] += 1 } }

    func remove(_ blob: BlobID) {
        counts.withLock { counts in
            guard let count = counts[blob] else { preconditionFailure("removed more often than inserted") }
            counts[blob] = count == 1 ? nil : count - 1
        }
    }

    func contains(_ blob: BlobID) -> Bool { counts.withLock { $0[blob] != nil } }
}
