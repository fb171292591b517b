internal import ChunkTransport
internal import Core
internal import Metadata
internal import NIOCore
internal import Placement

/// The write path of one blob: cuts a body into chunks and has each on its quorum of nodes before it counts.
///
/// Used by one upload, within the task group that owns the nodes' `put` calls.
struct BlobWriter {
    let blob: BlobID
    let layout: Layout
    let store: ObjectStore
    /// What chunk 0 carries beside its payload, so that the object's name survives the metadata.
    let descriptor: [UInt8]

    private var configuration: StoreConfiguration { store.configuration }
    private let quorum: Int
    private var assembler: PieceAssembler
    private let digest: DigestPipeline
    private let memory: MemoryBudget
    /// Nodes that were left behind, of which not much is expected for the rest of the upload.
    private var laggards: Set<NodeID> = []

    private var nextChunkIndex: UInt32 = 0
    private var filling: ChunkWrite?
    /// Sent completely, quorum still awaited; oldest first.
    private var awaitingQuorum: [ChunkWrite] = []
    /// Quorum reached, some nodes still to answer.
    private var stragglers: [ChunkWrite] = []
    private(set) var repairs: [RepairRecord] = []

    init(blob: BlobID, layout: Layout, descriptor: [UInt8], store: ObjectStore) {
        self.blob = blob
        self.layout = layout
        self.descriptor = descriptor
        self.store = store
        quorum = min(store.configuration.writeQuorum, layout.replicas)
        assembler = PieceAssembler(chunkSize: store.configuration.chunkSize, pieceSize: store.configuration.pieceSize)
        digest = DigestPipeline(executor: store.digestExecutor)
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
        for try await var buffer in body {
            while let output = assembler.next(from: &buffer) { try await send(output, group: &group) }
        }
        if let output = assembler.finish() { try await send(output, group: &group) }
        endChunk()
        while !awaitingQuorum.isEmpty { try await settleOldest() }
        return try await digest.finish()
    }

    private mutating func send(_ output: PieceAssembler.Output, group: inout DiscardingTaskGroup) async throws {
        let chunk: ChunkWrite
        if let filling { chunk = filling } else { chunk = try await startChunk(group: &group) }
        filling = chunk
        let piece = Piece(checksumming: output.bytes, lease: try await lease(output.bytes.readableBytes))
        try await digest.add(piece)
        let late = chunk.offer(piece)
        if !late.isEmpty { await wait(for: late, to: piece, in: chunk) }
        try Task.checkCancellation()
        guard chunk.takingCount > 0 else { throw quorumNotReached(chunk) }
        if output.endsChunk { endChunk() }
    }

    private enum Turn: Sendable {
        case took
        case failed
        case gaveUp(ChunkWrite.Replica)
        case patienceEnded
    }

    /// Waits until the nodes that have no room take a piece. Once a quorum has it, patience with the others begins to run;
    /// those that are still late when it ends are left behind.
    private mutating func wait(for late: [ChunkWrite.Replica], to piece: Piece, in chunk: ChunkWrite) async {
        let isKnown = late.allSatisfy { laggards.contains($0.node) }
        let patience = isKnown ? configuration.laggardPatienceAgain : configuration.laggardPatience
        let (quorum, time) = (quorum, store.time)
        var takers = chunk.takingCount - late.count
        let leftBehind = await withTaskGroup(of: Turn.self) { group in
            for replica in late {
                group.addTask {
                    do {
                        try await replica.queue.send(piece)
                        return .took
                    } catch is CancellationError {
                        return .gaveUp(replica)
                    } catch {
                        return .failed
                    }
                }
            }
            var leftBehind: [ChunkWrite.Replica] = []
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
                case .gaveUp(let replica):
                    leftBehind.append(replica)
                    waiting -= 1
                case .failed, nil: waiting -= 1
                case .patienceEnded: group.cancelAll()
                }
            }
            group.cancelAll()
            return leftBehind
        }
        for replica in leftBehind {
            laggards.insert(replica.node)
            chunk.leaveBehind(replica)
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
        let chunk = try store.place(id, layout: layout, quorum: quorum)
        let descriptor = id.index == 0 ? self.descriptor : []
        for replica in chunk.replicas {
            group.addTask { [store] in await store.put(chunk, on: replica, descriptor: descriptor) }
        }
        return chunk
    }

    private mutating func endChunk() {
        guard let chunk = filling else { return }
        chunk.end()
        filling = nil
        awaitingQuorum.append(chunk)
    }

    /// Waits for the oldest chunk's quorum; a node that was lost on the way is replaced by having another fetch its copy.
    private mutating func settleOldest() async throws {
        let chunk = awaitingQuorum[0]
        await chunk.waitForAcknowledgements(quorum)
        try Task.checkCancellation()
        awaitingQuorum.removeFirst()
        let missing = quorum - chunk.acknowledged.count
        if missing > 0 {
            let replaced = await store.replace(missing, of: chunk, layout: layout)
            guard replaced >= missing else { throw quorumNotReached(chunk, additional: replaced) }
        }
        noteRepairs(for: chunk)
    }

    private mutating func noteRepairs(for chunk: ChunkWrite) {
        guard chunk.isSettled else {
            stragglers.append(chunk)
            return
        }
        let expected = store.map.places(of: chunk.chunk, layoutVersion: layout.version).nodes
        let written = chunk.acknowledged
        let now = store.time.now()
        for node in expected where !written.contains(node) {
            repairs.append(
                RepairRecord(
                    fragment: FragmentID(chunk: chunk.chunk), node: node, layoutVersion: layout.version, reason: .missed, attempts: 0,
                    dueAt: now))
        }
    }

    /// Waits for the remaining copies, as long as patience lasts, and notes what is missing after that.
    mutating func settleStragglers(group: inout DiscardingTaskGroup) async {
        let waiting = stragglers
        stragglers = []
        if waiting.contains(where: { !$0.isSettled }) {
            try? await withDeadline(configuration.stragglerPatience, time: store.time) {
                for chunk in waiting { await chunk.waitForAcknowledgements(chunk.replicas.count) }
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
