internal import ChunkTransport
internal import Core
internal import ErasureCoding
internal import Logging
internal import Metadata
internal import NIOCore
internal import Placement
internal import Traces
internal import Tracing

/// The write path of one blob: cuts a body into chunks and has each on its quorum of nodes before it counts.
///
/// Used by one upload, within the task group that owns the nodes' `put` calls.
struct BlobWriter {
    let blob: BlobID
    let layout: Layout
    let store: ObjectStore
    /// What chunk 0 says of the object, so that its name survives the metadata; nil for a part of one.
    let object: BlobDescriptor.Object?
    /// How the chunks are stored: decided when it is known whether the body is small, before the first chunk begins.
    private(set) var storageClass: StorageClass

    private var configuration: StoreConfiguration { store.configuration }
    private var quorum: Int
    private var encoder: PieceEncoder
    private let digest: DigestPipeline
    private let memory: MemoryBudget
    /// Nodes that were left behind, of which not much is expected for the rest of the upload.
    private var laggards: Set<NodeID> = []

    private var nextChunkIndex: UInt32 = 0
    private var filling: ChunkWrite?
    /// Whether the chunk that is being filled has all its bytes. It is ended when it is known whether it is the last.
    private var isFull = false
    /// Sent completely, quorum still awaited; oldest first.
    private var awaitingQuorum: [ChunkWrite] = []
    /// Quorum reached, some nodes still to answer.
    private var stragglers: [ChunkWrite] = []
    private(set) var repairs: [RepairRecord] = []

    /// - Parameter storageClass: wanted; small bodies, and all while too few nodes answer, are stored as copies instead.
    init(
        blob: BlobID, layout: Layout, storageClass: StorageClass, object: BlobDescriptor.Object?, algorithms: Set<ChecksumAlgorithm>,
        store: ObjectStore
    ) {
        self.blob = blob
        self.layout = layout
        self.storageClass = storageClass
        self.object = object
        self.store = store
        quorum = store.quorum(of: storageClass, in: layout)
        encoder = store.encoder(for: storageClass)
        digest = DigestPipeline(algorithms: algorithms, executor: store.digestExecutor)
        memory = MemoryBudget(byteCount: store.configuration.memoryPerUpload, within: store.uploadMemory)
    }

    /// Chunks of which something may have reached a node.
    var startedChunkCount: Int { Int(nextChunkIndex) }

    /// Consumes `body` to its end. When it returns, every chunk has its quorum; stragglers may still be writing.
    mutating func write<Body: AsyncSequence>(_ body: Body, group: inout DiscardingTaskGroup) async throws -> ContentDigest
    where Body.Element == ByteBuffer {
        let digest = self.digest
        group.addTask { await digest.run() }
        defer { digest.stop() }
        var iterator = body.makeAsyncIterator()
        for var buffer in try await decideStorageClass(&iterator) {
            while let output = encoder.next(from: &buffer) { try await send(output, group: &group) }
        }
        while var buffer = try await iterator.next() {
            while let output = encoder.next(from: &buffer) { try await send(output, group: &group) }
        }
        if let output = encoder.finish() { try await send(output, group: &group) }
        // Of an empty body, too, something must be found on the nodes.
        if filling == nil { filling = try await startChunk(group: &group) }
        let content = try await digest.finish()
        try endChunk(BlobDescriptor.Content(content, completedAt: store.time.now()))
        while !awaitingQuorum.isEmpty { try await settleOldest() }
        return content
    }

    /// Takes as much of the body as shows whether it is small.
    /// - Returns: what was taken.
    private mutating func decideStorageClass<Body: AsyncIteratorProtocol>(_ body: inout Body) async throws -> [ByteBuffer]
    where Body.Element == ByteBuffer {
        guard case .coded(let code) = storageClass else { return [] }
        var taken: [ByteBuffer] = []
        var byteCount = 0
        while byteCount <= configuration.smallObjectLimit, let buffer = try await body.next() {
            taken.append(buffer)
            byteCount += buffer.readableBytes
        }
        let isSmall = byteCount <= configuration.smallObjectLimit
        guard isSmall || !store.canPlace(storageClass, in: layout) else { return taken }
        storageClass = store.copies(inPlaceOf: code, in: layout)
        if !isSmall {
            store.logger.notice(
                "too few nodes answer for an erasure code: stored as copies", metadata: ["blob": "\(blob)", "code": "\(code)"])
        }
        quorum = store.quorum(of: storageClass, in: layout)
        encoder = store.encoder(for: storageClass)
        return taken
    }

    private mutating func send(_ output: PieceAssembler.Output, group: inout DiscardingTaskGroup) async throws {
        if isFull { try endChunk(nil) }
        let chunk: ChunkWrite
        if let filling { chunk = filling } else { chunk = try await startChunk(group: &group) }
        filling = chunk
        let lease = try await lease(encoder.memory(for: output.bytes.readableBytes))
        try await digest.add(output.bytes, lease: lease)
        let pieces = encoder.encode(output.bytes, lease: lease)
        let late = chunk.offer(pieces)
        if !late.isEmpty { await wait(for: late, to: pieces, in: chunk) }
        try Task.checkCancellation()
        guard chunk.takingCount >= fewestTakers else { throw quorumNotReached(chunk) }
        isFull = output.endsChunk
    }

    /// With fewer nodes left a chunk cannot be completed: another node can fetch a copy, or compute a fragment from enough others.
    private var fewestTakers: Int {
        switch storageClass {
        case .replicated, .copies: 1
        case .coded(let code): code.dataCount
        }
    }

    private enum Turn: Sendable {
        case took
        case failed
        case gaveUp(ChunkWrite.Target)
        case patienceEnded
    }

    /// Waits until the nodes that have no room take a piece. Once a quorum has it, patience with the others begins to run;
    /// those that are still late when it ends are left behind.
    private mutating func wait(for late: [ChunkWrite.Target], to pieces: EncodedPieces, in chunk: ChunkWrite) async {
        let isKnown = late.allSatisfy { laggards.contains($0.node) }
        let patience = isKnown ? configuration.laggardPatienceAgain : configuration.laggardPatience
        let (quorum, time) = (quorum, store.time)
        var takers = chunk.takingCount - late.count
        let leftBehind = await withTaskGroup(of: Turn.self) { group in
            for target in late {
                group.addTask {
                    do {
                        try await target.queue.send(pieces[target.fragment.number])
                        return .took
                    } catch is CancellationError {
                        return .gaveUp(target)
                    } catch {
                        return .failed
                    }
                }
            }
            var leftBehind: [ChunkWrite.Target] = []
            var waiting = late.count
            var isTiming = false
            while waiting > 0 {
                if takers >= quorum, !isTiming {
                    isTiming = true
                    group.addTask {
                        try? await time.sleep(for: patience)
                        return .patienceEnded
                    }
                }
                switch await group.next() {
                case .took:
                    takers += 1
                    waiting -= 1
                case .gaveUp(let target):
                    leftBehind.append(target)
                    waiting -= 1
                case .failed, nil: waiting -= 1
                case .patienceEnded: group.cancelAll()
                }
            }
            group.cancelAll()
            return leftBehind
        }
        for target in leftBehind {
            laggards.insert(target.node)
            chunk.leaveBehind(target)
        }
    }

    /// Memory for a piece. What is held for nodes that only keep others waiting is given up when patience ends.
    private mutating func lease(_ byteCount: Int) async throws -> MemoryBudget.Lease {
        if let lease = memory.leaseIfAvailable(byteCount) { return lease }
        do {
            return try await withDeadline(configuration.laggardPatience, time: store.time) { [memory] in try await memory.lease(byteCount) }
        } catch is DeadlineExceeded {
            for chunk in stragglers + awaitingQuorum where chunk.acknowledged.count >= quorum {
                laggards.formUnion(chunk.leaveBehindUnsettled())
            }
            return try await memory.lease(byteCount)
        }
    }

    private mutating func startChunk(group: inout DiscardingTaskGroup) async throws -> ChunkWrite {
        while awaitingQuorum.count >= configuration.chunksAwaitingQuorum { try await settleOldest() }
        let id = ChunkID(blob: blob, index: nextChunkIndex)
        nextChunkIndex += 1
        let chunk = try store.place(id, storageClass, layout: layout, quorum: quorum)
        for target in chunk.targets { group.addTask { [store] in await store.put(chunk, on: target) } }
        return chunk
    }

    /// - Parameter content: what the last chunk says of the whole; nil when another chunk follows.
    private mutating func endChunk(_ content: BlobDescriptor.Content?) throws {
        guard let chunk = filling else { return }
        var descriptor = BlobDescriptor(content: content)
        if chunk.chunk.index == 0 {
            descriptor.object = object
            descriptor.storage = BlobDescriptor.Storage(
                storageClass: storageClass.description, chunkSize: configuration.chunkSize, layoutVersion: layout.version, quorum: quorum)
        }
        chunk.end(descriptor: chunk.chunk.index == 0 || content != nil ? try descriptor.encoded() : [])
        filling = nil
        isFull = false
        awaitingQuorum.append(chunk)
    }

    /// Waits for the oldest chunk's quorum; a node that was lost on the way is replaced by having another fetch or compute its fragment.
    private mutating func settleOldest() async throws {
        let chunk = awaitingQuorum[0]
        let (quorum, store, layout) = (quorum, store, layout)
        await traced("wait for quorum", ["chunkflow.chunk": "\(chunk.chunk)"]) { await chunk.waitForAcknowledgements(quorum) }
        try Task.checkCancellation()
        awaitingQuorum.removeFirst()
        let missing = quorum - chunk.acknowledged.count
        if missing > 0 {
            let replaced = await traced(
                "replace nodes", ["chunkflow.chunk": "\(chunk.chunk)", "chunkflow.missing": .int64(Int64(missing))]
            ) {
                await store.replace(missing, of: chunk, layout: layout)
            }
            guard replaced >= missing else { throw quorumNotReached(chunk, additional: replaced) }
        }
        noteRepairs(for: chunk)
    }

    private mutating func noteRepairs(for chunk: ChunkWrite) {
        guard chunk.isSettled else {
            stragglers.append(chunk)
            return
        }
        let written = Set(chunk.written)
        for home in store.map.homes(of: chunk.chunk, storageClass, in: layout) where !written.contains(home) {
            repairs.append(
                store.repairRecord(of: home.fragment, storageClass, on: home.node, layoutVersion: layout.version, reason: .missed))
        }
    }

    /// Waits for the remaining copies, as long as patience lasts, and notes what is missing after that.
    mutating func settleStragglers(group: inout DiscardingTaskGroup) async {
        let waiting = stragglers
        stragglers = []
        if waiting.contains(where: { !$0.isSettled }) {
            try? await withDeadline(configuration.stragglerPatience, time: store.time) {
                for chunk in waiting { await chunk.waitForAcknowledgements(chunk.targets.count) }
            }
        }
        for chunk in waiting {
            chunk.settleMissing(DeadlineExceeded())
            noteRepairs(for: chunk)
        }
        group.cancelAll()
    }

    /// Lets every node know that nothing more comes.
    func abandon() {
        filling?.abandon()
        for chunk in awaitingQuorum { chunk.abandon() }
    }

    private func quorumNotReached(_ chunk: ChunkWrite, additional: Int = 0) -> StoreError {
        let failures = chunk.failures.sorted { $0.key < $1.key }
        let detail = failures.map { "\($0.key): \($0.value)" }.joined(separator: "; ")
        let isFull = failures.contains { _, error in
            if case NodeError.insufficientSpace = error { true } else { false }
        }
        // Full disks do not pass by themselves, as other failures do: the client should know.
        if isFull { return .insufficientStorage(detail: detail) }
        return .quorumNotReached(
            chunk: chunk.chunk, acknowledged: chunk.acknowledged.count + additional, required: quorum, detail: detail)
    }
}

extension BlobDescriptor.Content {
    fileprivate init(_ digest: ContentDigest, completedAt: Timestamp) {
        self.init(
            byteCount: digest.byteCount, etag: hexadecimal(digest.md5Bytes()), crc32c: digest.crc32cValue(),
            completedAt: completedAt.millisecondsSince1970)
    }
}
