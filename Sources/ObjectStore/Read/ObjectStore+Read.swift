internal import ChunkTransport
public import Core
internal import ErasureCoding
public import Metadata
public import NIOCore
internal import Traces
internal import Tracing

extension ObjectStore {
    public func file(_ id: FileID) async throws -> ObjectRecord? {
        try await committing { try await self.metadata.object(in: self.fileBucket.id, key: id.description) }
    }

    public func pinnedFile(_ id: FileID) async throws -> (file: ObjectRecord, pinned: PinnedBlobs)? {
        try await lookingUp { try await file(id).map { ($0, pin($0)) } }
    }

    public func files(after cursor: FileID?, limit: Int) async throws -> [ObjectRecord] {
        try await committing { try await self.metadata.objects(in: self.fileBucket.id, after: cursor?.description, limit: limit) }
    }

    public func deleteFile(_ id: FileID) async throws -> Bool {
        let deleted = try await committing {
            try await self.metadata.deleteObject(in: self.fileBucket.id, key: id.description, at: self.time.now())
        }
        if deleted { garbageAdded.raise() }
        return deleted
    }

    /// The read path: computed chunk names -> a window of chunks in flight -> verified bytes in order.
    public func read(
        _ object: ObjectRecord, range: Range<Int64>, deliver: @escaping @Sendable (ByteBuffer) async throws -> Void
    ) async throws {
        precondition(range.lowerBound >= 0 && range.upperBound <= object.byteCount, "a range within the object")
        for blob in object.blobs { activeBlobs.insert(blob.id) }
        defer { for blob in object.blobs { activeBlobs.remove(blob.id) } }

        try await background.serving { try await read(ReadPlan(blobs: object.blobs, range: range), deliver: deliver) }
    }

    func read(_ plan: ReadPlan, deliver: @escaping @Sendable (ByteBuffer) async throws -> Void) async throws {
        var plan = plan
        guard let first = plan.next() else { return }
        guard let second = plan.next() else {
            try await read(first, deliver: deliver)
            return
        }
        try await readAhead([first, second], then: plan, deliver: deliver)
    }

    /// Reads the next chunks into bounded queues while the current one is delivered.
    private func readAhead(
        _ first: [ChunkRead], then plan: ReadPlan, deliver: @escaping @Sendable (ByteBuffer) async throws -> Void
    ) async throws {
        try await withThrowingDiscardingTaskGroup { group in
            var upcoming = first
            var plan = plan
            var window: [BoundedQueue<ByteBuffer>] = []
            defer { for queue in window { queue.cancel() } }
            while true {
                while window.count <= configuration.chunksReadAhead {
                    guard let read = upcoming.isEmpty ? plan.next() : upcoming.removeFirst() else { break }
                    let queue = BoundedQueue<ByteBuffer>(capacity: configuration.piecesReadAhead)
                    window.append(queue)
                    group.addTask { await self.fill(queue, with: read) }
                }
                guard let current = window.first else { return }
                while let bytes = try await current.next() { try await deliver(bytes) }
                window.removeFirst()
            }
        }
    }

    private func fill(_ queue: BoundedQueue<ByteBuffer>, with chunk: ChunkRead) async {
        do {
            try await read(chunk) { try await queue.send($0) }
            queue.finish()
        } catch {
            queue.finish(throwing: error)
        }
    }

    /// - Throws: ``StoreError/chunkUnavailable(_:detail:)``, what `deliver` throws, or `CancellationError`.
    private func read(_ chunk: ChunkRead, deliver: @escaping @Sendable (ByteBuffer) async throws -> Void) async throws {
        try await traced("read chunk", ["chunkflow.chunk": "\(chunk.chunk)"]) {
            switch chunk.storageClass {
            case .replicated, .copies: try await ChunkReader(read: chunk, store: self).deliver(to: deliver)
            case .coded(let code): try await CodedChunkReader(read: chunk, coder: coders.coder(for: code), store: self).deliver(to: deliver)
            }
        }
    }

    /// Takes note of what kept a node from serving a fragment.
    /// - Parameter isExpectedThere: whether the node should have it.
    func note(_ error: NodeError, of fragment: FragmentID, from node: NodeID, read: ChunkRead, isExpectedThere: Bool) {
        nodes.report(error, from: node)
        switch error {
        case .corrupt: requestRepair(of: fragment, read.storageClass, on: node, layoutVersion: read.layoutVersion, reason: .corrupt)
        case .notFound where isExpectedThere:
            requestRepair(of: fragment, read.storageClass, on: node, layoutVersion: read.layoutVersion, reason: .missing)
        default: break
        }
    }
}
