internal import ChunkTransport
internal import Core
internal import ErasureCoding
internal import Logging
public import Metadata
public import NIOCore
internal import Placement
internal import Traces
internal import Tracing

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
        let name = ObjectName(bucket: fileBucket, key: file.description, version: freshVersion(at: now))
        return try await traced("write object") {
            try await background.serving { try await write(name, description: description, body: body) }
        }
    }

    func freshVersion(at time: Timestamp) -> VersionID { VersionID(time: time, random: random) }

    /// The write path: body -> chunks -> nodes -> one metadata transaction that makes the object visible.
    /// - Parameter createdAt: nil for now.
    func write<Body: AsyncSequence & Sendable>(
        _ name: ObjectName, description: UploadDescription, body: Body, createdAt: Timestamp? = nil
    ) async throws -> ObjectRecord where Body.Element == ByteBuffer {
        try checkWritable()
        let createdAt = createdAt ?? time.now()
        let wanted = try storageClass(wanted: description.storageClass, bucket: name.bucket, in: map.current)
        let layout = try await layout(for: wanted)
        let blob = newBlob(in: layout)
        activeBlobs.insert(blob)
        defer { activeBlobs.remove(blob) }

        let object = BlobDescriptor.Object(name: name, description: description, createdAt: createdAt)
        let written = try await writeBlob(blob, layout: layout, storageClass: wanted, object: object, body: body)
        do {
            try Task.checkCancellation()
        } catch {
            await discard([written.record])
            throw error
        }
        let record = record(of: name, description: description, createdAt: createdAt, written)
        // From here on only the database knows whether the object exists: even when the commit fails, its chunks are
        // left for the sweep, which asks the database.
        try await traced("commit metadata") {
            try await committing { try await self.metadata.commit(record, repairs: written.repairs) }
        }
        noteCommitted([written])
        return record
    }

    /// A name for a blob that is going to be written.
    func newBlob(in layout: Layout) -> BlobID {
        let now = time.now()
        let candidates = (0..<WriteBalance.candidateCount).map { _ in BlobID(time: now, random: random) }
        return balance.best(of: candidates, layout: layout, partitions: map.partitions)
    }

    /// A blob of which every chunk has its quorum, and to which nothing refers yet.
    struct WrittenBlob: Sendable {
        let record: BlobRecord
        let digest: ContentDigest
        /// What its writing left to be done.
        let repairs: [RepairRecord]
    }

    /// Writes the chunks of a blob: body -> chunks -> nodes. Nothing stays of one that fails.
    /// - Parameters:
    ///   - blob: counted among ``activeBlobs`` until it is committed or discarded.
    ///   - storageClass: wanted; small bodies, and all while too few nodes answer, are stored as copies instead.
    ///   - object: whose whole content it is; nil for a part.
    ///   - algorithms: digests to compute beside MD5 and CRC32C.
    func writeBlob<Body: AsyncSequence & Sendable>(
        _ blob: BlobID, layout: Layout, storageClass: StorageClass, object: BlobDescriptor.Object?,
        algorithms: Set<ChecksumAlgorithm> = [], body: Body
    ) async throws -> WrittenBlob where Body.Element == ByteBuffer {
        let ending = await withDiscardingTaskGroup { group in
            var writer = BlobWriter(
                blob: blob, layout: layout, storageClass: storageClass, object: object, algorithms: algorithms, store: self)
            do {
                let digest = try await writer.write(body, group: &group)
                await writer.settleStragglers(group: &group)
                return WriteEnding(
                    storageClass: writer.storageClass, startedChunkCount: writer.startedChunkCount,
                    outcome: .success((digest, writer.repairs)))
            } catch {
                writer.abandon()
                group.cancelAll()
                return WriteEnding(
                    storageClass: writer.storageClass, startedChunkCount: writer.startedChunkCount, outcome: .failure(error))
            }
        }
        func record(byteCount: Int64) -> BlobRecord {
            BlobRecord(
                id: blob, byteCount: byteCount, chunkSize: configuration.chunkSize, layoutVersion: layout.version,
                storageClass: ending.storageClass.description)
        }
        switch ending.outcome {
        case .success((let digest, let repairs)):
            return WrittenBlob(record: record(byteCount: digest.byteCount), digest: digest, repairs: repairs)
        case .failure(let error):
            if ending.startedChunkCount > 0 {
                await discard([record(byteCount: Int64(ending.startedChunkCount) * Int64(configuration.chunkSize))])
            }
            throw error
        }
    }

    private struct WriteEnding: Sendable {
        let storageClass: StorageClass
        let startedChunkCount: Int
        let outcome: Result<(ContentDigest, [RepairRecord]), any Error>
    }

    /// Looks after what was written, now that something refers to it.
    func noteCommitted(_ written: [WrittenBlob]) {
        if written.contains(where: { !$0.repairs.isEmpty }) { repairRequested.raise() }
        if written.contains(where: { $0.record.layoutVersion < map.current.version }) {
            rebalance.noteNewLayout()
            rebalanceRequested.raise()
        }
    }

    private func record(
        of name: ObjectName, description: UploadDescription, createdAt: Timestamp, _ written: WrittenBlob
    ) -> ObjectRecord {
        let digest = written.digest
        return ObjectRecord(
            bucket: name.bucket.id, key: name.key, version: name.version, byteCount: digest.byteCount, fileName: description.fileName,
            contentType: description.contentType, etag: hexadecimal(digest.md5Bytes()), crc32c: digest.crc32cValue(), createdAt: createdAt,
            userMetadata: [:], blobs: [written.record])
    }

    /// Hands the chunks of blobs that came to nothing to the collector. Those that something refers to are left alone.
    func discard(_ blobs: [BlobRecord]) async {
        guard !blobs.isEmpty else { return }
        do {
            try await metadata.addGarbage(blobs, at: time.now())
            garbageAdded.raise()
        } catch {
            logger.warning("leftover chunks stay until the next sweep", metadata: ["blobs": "\(blobs.map(\.id))", "error": "\(error)"])
        }
    }

    /// One node's fragment of a chunk, from its first piece to the node's acknowledgement.
    func put(_ chunk: ChunkWrite, on target: ChunkWrite.Target) async {
        guard let transport = nodes.transport(to: target.node) else {
            target.queue.cancel()
            chunk.settle(target.node, .failure(NodeError.unreachable(address: "", detail: "the node left the cluster")))
            return
        }
        do {
            let info = try await traced(
                "write fragment", ["chunkflow.fragment": "\(target.fragment)", "chunkflow.node": "\(target.node)"]
            ) {
                try await transport.put(target.fragment, pieces: target.queue) { chunk.descriptor }
            }
            balance.add(info.byteCount, to: target.node)
            chunk.settle(target.node, .success(info))
        } catch {
            target.queue.cancel()
            nodes.report(error, from: target.node)
            chunk.settle(target.node, .failure(error))
            if !(error is CancellationError) {
                logger.warning(
                    "a fragment was not written",
                    metadata: ["fragment": "\(target.fragment)", "node": "\(target.node)", "error": "\(error)"])
            }
        }
    }
}
