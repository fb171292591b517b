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
        let wanted = try storageClass(wanted: description.storageClass, in: map.current)
        let layout = try await layout(for: wanted)
        let candidates = (0..<WriteBalance.candidateCount).map { _ in BlobID(time: createdAt, random: random) }
        let blob = balance.best(of: candidates, layout: layout, partitions: map.partitions)
        activeBlobs.insert(blob)
        defer { activeBlobs.remove(blob) }

        let object = BlobDescriptor.Object(name: name, description: description, createdAt: createdAt)
        let written = await withDiscardingTaskGroup { group in
            var writer = BlobWriter(blob: blob, layout: layout, storageClass: wanted, object: object, store: self)
            do {
                let digest = try await writer.write(body, group: &group)
                await writer.settleStragglers(group: &group)
                return WrittenBlob(
                    storageClass: writer.storageClass, startedChunkCount: writer.startedChunkCount,
                    outcome: .success((digest, writer.repairs)))
            } catch {
                writer.abandon()
                group.cancelAll()
                return WrittenBlob(
                    storageClass: writer.storageClass, startedChunkCount: writer.startedChunkCount, outcome: .failure(error))
            }
        }

        switch written.outcome {
        case .failure(let error):
            await discard(blob, written, layout: layout)
            throw error
        case .success((let digest, let repairs)):
            do {
                try Task.checkCancellation()
            } catch {
                await discard(blob, written, layout: layout)
                throw error
            }
            let blobRecord = BlobRecord(
                id: blob, byteCount: digest.byteCount, chunkSize: configuration.chunkSize, layoutVersion: layout.version,
                storageClass: written.storageClass.description)
            let record = record(of: name, description: description, createdAt: createdAt, blob: blobRecord, digest: digest)
            // From here on only the database knows whether the object exists: even when the commit fails, its chunks are
            // left for the sweep, which asks the database.
            try await traced("commit metadata") {
                try await committing { try await self.metadata.commit(record, repairs: repairs) }
            }
            if !repairs.isEmpty { repairRequested.raise() }
            if layout.version < map.current.version {
                rebalance.noteNewLayout()
                rebalanceRequested.raise()
            }
            return record
        }
    }

    private struct WrittenBlob: Sendable {
        let storageClass: StorageClass
        let startedChunkCount: Int
        let outcome: Result<(ContentDigest, [RepairRecord]), any Error>
    }

    private func record(
        of name: ObjectName, description: UploadDescription, createdAt: Timestamp, blob: BlobRecord, digest: ContentDigest
    ) -> ObjectRecord {
        ObjectRecord(
            bucket: name.bucket.id, key: name.key, version: name.version, byteCount: digest.byteCount, fileName: description.fileName,
            contentType: description.contentType, etag: hexadecimal(digest.md5Bytes()), crc32c: digest.crc32cValue(), createdAt: createdAt,
            userMetadata: [:], blobs: [blob])
    }

    /// Hands the chunks of an upload that came to nothing to the collector.
    private func discard(_ blob: BlobID, _ written: WrittenBlob, layout: Layout) async {
        guard written.startedChunkCount > 0 else { return }
        let record = BlobRecord(
            id: blob, byteCount: Int64(written.startedChunkCount) * Int64(configuration.chunkSize), chunkSize: configuration.chunkSize,
            layoutVersion: layout.version, storageClass: written.storageClass.description)
        do {
            try await metadata.addGarbage([record], at: time.now())
            garbageAdded.raise()
        } catch {
            logger.warning("leftover chunks stay until the next sweep", metadata: ["blob": "\(blob)", "error": "\(error)"])
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
