internal import ChunkTransport
internal import Core
internal import Logging
public import Metadata
public import NIOCore
internal import Placement

extension ObjectStore {
    public func checkWritable() throws {
        guard isRunning else { throw StoreError.shuttingDown }
        let layout = map.current
        let required = max(1, min(configuration.writeQuorum, layout.replicas))
        let available = nodes.ids(in: .up).count
        guard available >= required else { throw StoreError.notEnoughNodes(available: available, required: required) }
    }

    public func upload<Body: AsyncSequence & Sendable>(_ description: UploadDescription, body: Body) async throws -> ObjectRecord
    where Body.Element == ByteBuffer {
        let now = time.now()
        let file = FileID(time: now, random: random)
        let name = ObjectName(bucket: fileBucket, key: file.description, version: VersionID(time: now, random: random))
        return try await background.serving { try await write(name, description: description, body: body) }
    }

    /// The write path: body -> chunks -> nodes -> one metadata transaction that makes the object visible.
    func write<Body: AsyncSequence & Sendable>(_ name: ObjectName, description: UploadDescription, body: Body) async throws -> ObjectRecord
    where Body.Element == ByteBuffer {
        try checkWritable()
        let createdAt = time.now()
        let layout = map.current
        let candidates = (0..<WriteBalance.candidateCount).map { _ in BlobID(time: createdAt, random: random) }
        let blob = balance.best(of: candidates, layout: layout, partitions: map.partitions)
        activeBlobs.insert(blob)
        defer { activeBlobs.remove(blob) }

        let descriptor = try ObjectDescriptor(name: name, description: description, createdAt: createdAt).encoded()
        let written = await withDiscardingTaskGroup { group in
            var writer = BlobWriter(blob: blob, layout: layout, descriptor: descriptor, store: self)
            do {
                let digest = try await writer.write(body, group: &group)
                await writer.settleStragglers(group: &group)
                return WrittenBlob(startedChunkCount: writer.startedChunkCount, outcome: .success((digest, writer.repairs)))
            } catch {
                writer.abandon()
                group.cancelAll()
                return WrittenBlob(startedChunkCount: writer.startedChunkCount, outcome: .failure(error))
            }
        }

        switch written.outcome {
        case .failure(let error):
            await discard(blob, chunkCount: written.startedChunkCount, layout: layout)
            throw error
        case .success((let digest, let repairs)):
            do {
                try Task.checkCancellation()
            } catch {
                await discard(blob, chunkCount: written.startedChunkCount, layout: layout)
                throw error
            }
            let record = record(of: name, description: description, createdAt: createdAt, blob: blob, layout: layout, digest: digest)
            // From here on only the database knows whether the object exists: even when the commit fails, its chunks are
            // left for the sweep, which asks the database.
            try await committing { try await self.metadata.commit(record, repairs: repairs) }
            if !repairs.isEmpty { repairRequested.raise() }
            if layout.version < map.current.version {
                rebalance.noteNewLayout()
                rebalanceRequested.raise()
            }
            return record
        }
    }

    private struct WrittenBlob: Sendable {
        let startedChunkCount: Int
        let outcome: Result<(ContentDigest, [RepairRecord]), any Error>
    }

    private func record(
        of name: ObjectName, description: UploadDescription, createdAt: Timestamp, blob: BlobID, layout: Layout, digest: ContentDigest
    ) -> ObjectRecord {
        let blobRecord = BlobRecord(
            id: blob, byteCount: digest.byteCount, chunkSize: configuration.chunkSize, layoutVersion: layout.version,
            storageClass: "replicated-\(configuration.replicas)")
        return ObjectRecord(
            bucket: name.bucket.id, key: name.key, version: name.version, byteCount: digest.byteCount, fileName: description.fileName,
            contentType: description.contentType, etag: hexadecimal(digest.md5Bytes()), crc32c: digest.crc32cValue(), createdAt: createdAt,
            userMetadata: [:], blobs: digest.byteCount == 0 ? [] : [blobRecord])
    }

    /// Hands the chunks of an upload that came to nothing to the collector.
    private func discard(_ blob: BlobID, chunkCount: Int, layout: Layout) async {
        guard chunkCount > 0 else { return }
        let record = BlobRecord(
            id: blob, byteCount: Int64(chunkCount) * Int64(configuration.chunkSize), chunkSize: configuration.chunkSize,
            layoutVersion: layout.version, storageClass: "replicated-\(configuration.replicas)")
        do {
            try await metadata.addGarbage([record], at: time.now())
            garbageAdded.raise()
        } catch {
            logger.warning("leftover chunks stay until the next sweep", metadata: ["blob": "\(blob)", "error": "\(error)"])
        }
    }

    /// Chooses the nodes of a new chunk: those of the layout that answer, and the next in order for those that do not.
    func place(_ chunk: ChunkID, layout: Layout, quorum: Int) throws -> ChunkWrite {
        let (wanted, successors) = map.places(of: chunk, layoutVersion: layout.version)
        var chosen = (wanted + successors).filter { nodes.state(of: $0) == .up }
        if chosen.count < quorum {
            // Better a node in doubt than no upload.
            chosen += (wanted + successors).filter { nodes.state(of: $0) == .suspect }
        }
        guard chosen.count >= quorum else { throw StoreError.notEnoughNodes(available: chosen.count, required: quorum) }
        return ChunkWrite(chunk: chunk, nodes: Array(chosen.prefix(layout.replicas)), piecesInFlight: configuration.piecesInFlight)
    }

    /// One node's copy of a chunk, from its first piece to the node's acknowledgement.
    func put(_ chunk: ChunkWrite, on replica: ChunkWrite.Replica, descriptor: [UInt8]) async {
        guard let transport = nodes.transport(to: replica.node) else {
            replica.queue.cancel()
            chunk.settle(replica.node, .failure(NodeError.unreachable(address: "", detail: "the node left the cluster")))
            return
        }
        do {
            let info = try await transport.put(FragmentID(chunk: chunk.chunk), descriptor: descriptor, pieces: replica.queue)
            balance.add(info.byteCount, to: replica.node)
            chunk.settle(replica.node, .success(info))
        } catch {
            replica.queue.cancel()
            nodes.report(error, from: replica.node)
            chunk.settle(replica.node, .failure(error))
            if !(error is CancellationError) {
                logger.warning(
                    "a copy was not written", metadata: ["chunk": "\(chunk.chunk)", "node": "\(replica.node)", "error": "\(error)"])
            }
        }
    }

    /// Has nodes that took no part fetch the chunk from those that have it, until `count` have.
    /// - Returns: how many have.
    func replace(_ count: Int, of chunk: ChunkWrite, layout: Layout) async -> Int {
        let sources = chunk.acknowledged.compactMap(nodes.peer)
        guard !sources.isEmpty else { return 0 }
        let (wanted, successors) = map.places(of: chunk.chunk, layoutVersion: layout.version)
        let taken = Set(chunk.replicas.map(\.node))
        var replaced = 0
        for node in wanted + successors where replaced < count && !taken.contains(node) && nodes.state(of: node) == .up {
            guard let transport = nodes.transport(to: node) else { continue }
            do {
                _ = try await transport.pull(FragmentID(chunk: chunk.chunk), from: sources)
                replaced += 1
            } catch {
                nodes.report(error, from: node)
            }
        }
        return replaced
    }
}
