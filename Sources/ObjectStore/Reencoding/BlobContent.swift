internal import Core
internal import ErasureCoding
internal import Metadata
internal import NIOCore
internal import Placement
import Synchronization

/// Movement in the background was stopped by an operator.
struct ReencodingPaused: Error {}

/// The content of a blob on its way from the nodes to a writer, as fast as movement in the background may be.
struct BlobContent: Sendable {
    /// What was read, in order.
    let queue: BoundedQueue<ByteBuffer>
    private let blob: BlobRecord

    /// - Parameter capacity: pieces that wait for the writer.
    init(of blob: BlobRecord, capacity: Int) {
        self.blob = blob
        queue = BoundedQueue(capacity: capacity)
    }

    /// Reads all of it. Ends the queue, with the error if there was one.
    /// - Parameter copy: what it is written as: each node gets no more of it than what moves in the background may.
    func read(from store: ObjectStore, for copy: BlobCopy) async {
        let position = Mutex<Int64>(0)
        do {
            try await store.read(ReadPlan(blobs: [blob], range: 0..<blob.byteCount)) { [queue] bytes in
                guard !store.background.isPaused else { throw ReencodingPaused() }
                let start = position.withLock { position in
                    defer { position += Int64(bytes.readableBytes) }
                    return position
                }
                for node in copy.nodes(at: start, store) {
                    try await store.background.take(copy.fragmentByteCount(of: bytes.readableBytes), to: node)
                }
                // Its turn may have been long in coming.
                guard !store.background.isPaused else { throw ReencodingPaused() }
                store.reencodedRecently.noteMoved(bytes.readableBytes, at: store.time.monotonicNow())
                try await queue.send(bytes)
            }
            queue.finish()
        } catch {
            queue.finish(throwing: error)
        }
    }
}

/// A blob as which another one's content is written.
struct BlobCopy: Sendable {
    let id: BlobID
    /// What its size leaves of the class that is wanted.
    let storageClass: StorageClass
    let layout: Layout

    /// Those that get what stands at a place of the content.
    fileprivate func nodes(at position: Int64, _ store: ObjectStore) -> [NodeID] {
        let chunk = ChunkID(blob: id, index: UInt32(position / Int64(store.configuration.chunkSize)))
        return store.map.homes(of: chunk, storageClass, in: layout).map(\.node)
    }

    /// What each of them gets of so many bytes.
    fileprivate func fragmentByteCount(of byteCount: Int) -> Int {
        guard case .coded(let code) = storageClass else { return byteCount }
        return (byteCount + code.dataCount - 1) / code.dataCount
    }
}
