internal import ChunkTransport
internal import Core
internal import ErasureCoding
internal import Logging
internal import Metadata

/// Collection: the fragments of blobs that nothing refers to are removed from every node.
extension ObjectStore {
    private static let batchSize = 256

    /// Goes through the garbage list again and again, until the task is cancelled.
    func collectForever() async {
        while !Task.isCancelled {
            do {
                try await collectAll()
                try await garbageAdded.wait(atMost: configuration.backgroundInterval, time: time)
            } catch is CancellationError {
                return
            } catch {
                logger.error("collection failed", metadata: ["error": "\(error)"])
                try? await time.sleep(for: configuration.backgroundInterval)
            }
        }
    }

    /// Removes the fragments of all garbage. A blob leaves the list when every node has confirmed; as long as one is down it stays.
    func collectAll() async throws {
        var position: BlobID?
        while true {
            let garbage = try await metadata.garbage(after: position, limit: Self.batchSize)
            // Somebody may have found one of these just before it became garbage, and be about to read it.
            if !garbage.isEmpty { try await activeBlobs.waitForLookups() }
            var collected: [BlobID] = []
            for record in garbage where !activeBlobs.contains(record.blob.id) {
                try Task.checkCancellation()
                if await removeFragments(of: record.blob) { collected.append(record.blob.id) }
            }
            if !collected.isEmpty { try await metadata.removeGarbage(collected) }
            guard garbage.count == Self.batchSize else { return }
            position = garbage.last?.blob.id
        }
    }

    /// - Returns: whether every node has confirmed.
    private func removeFragments(of blob: BlobRecord) async -> Bool {
        await withTaskGroup(of: Bool.self) { group in
            for node in nodes.ids { group.addTask { await self.removeFragments(of: blob, from: node) } }
            return await group.reduce(true) { $0 && $1 }
        }
    }

    private func removeFragments(of blob: BlobRecord, from node: NodeID) async -> Bool {
        // Every node is asked, not only those of the layout: others may have covered for them.
        guard nodes.health(of: node) != .down, let transport = nodes.transport(to: node) else { return false }
        do {
            // Of an erasure code any fragment may be anywhere.
            let numbers = blob.redundancy.fragmentNumbers
            let chunksAtOnce = TransportLimits.maximumBatch / numbers.count
            for start in stride(from: 0, to: blob.chunkCount, by: chunksAtOnce) {
                let chunks = blob.chunks[start..<min(start + chunksAtOnce, blob.chunkCount)]
                try await transport.delete(chunks.flatMap { chunk in numbers.map { FragmentID(chunk: chunk, number: $0) } })
            }
            return true
        } catch {
            nodes.report(error, from: node)
            return false
        }
    }
}
