internal import ChunkTransport
internal import Core
internal import Logging
internal import Metadata
internal import Placement

/// Rebalancing: blob by blob, the nodes that the current layout adds fetch their fragments from those that have them.
///
/// A blob's row names the layout that its fragments follow, and changes in one transaction when all of them are where the
/// next one wants them (docs/decisions/0008-rebalance.md): so there is nothing else to save, reads always know where to look, and a
/// crash of anybody costs at most the blobs that were on the move. What the old nodes have is removed after that.
extension ObjectStore {
    private static let pageSize = 256

    /// Moves blobs whenever there is a new layout, until the task is cancelled.
    func rebalanceForever() async {
        while !Task.isCancelled {
            do {
                if try await rebalancePass() {
                    try await rebalanceRequested.wait()
                } else {
                    // A node did not answer, or everything is paused.
                    try await rebalanceRequested.wait(atMost: configuration.backgroundInterval, time: time)
                }
            } catch is CancellationError {
                return
            } catch {
                logger.error("rebalancing failed", metadata: ["error": "\(error)"])
                try? await time.sleep(for: configuration.backgroundInterval)
            }
        }
    }

    /// Goes through all blobs once.
    /// - Returns: whether every one is where the current layout wants it.
    func rebalancePass() async throws -> Bool {
        let target = map.current
        var position: BlobID?
        var isComplete = true
        var hasMoved = false
        while true {
            guard !background.isPaused, map.current.version == target.version else { return false }
            let page = try await metadata.blobs(after: position, limit: Self.pageSize)
            let pending = page.filter { $0.layoutVersion < target.version }
            if !pending.isEmpty {
                let moved = try await move(pending, to: target)
                if moved < pending.count { isComplete = false }
                if moved > 0 { hasMoved = true }
            }
            guard page.count == Self.pageSize else { break }
            position = page.last?.id
        }
        // Nodes that were away, or come from an earlier layout, may have what was to be removed.
        if hasMoved { sweepRequested.raise() }
        guard isComplete, map.current.version == target.version else { return false }
        // What was uploaded meanwhile under the layout before asks for another pass when it is committed.
        let movedBytes = rebalance.noteFinished(at: time.monotonicNow())
        if hasMoved {
            logger.notice(
                "all fragments are where the layout wants them", metadata: ["layout": "\(target.version)", "movedBytes": "\(movedBytes)"])
        }
        try await finishDrains(before: target)
        for record in nodes.records where !record.membership.isPresent { try await metadata.dropRepairs(on: record.id) }
        return true
    }

    /// - Returns: how many have moved, or are gone.
    private func move(_ pending: [BlobRecord], to target: Layout) async throws -> Int {
        for blob in pending { activeBlobs.insert(blob.id) }
        defer { for blob in pending { activeBlobs.remove(blob.id) } }
        // Asked again now that the collector leaves them alone: it may have been at work on what was deleted since.
        let alive = try await metadata.blobs(pending.map(\.id)).filter { $0.layoutVersion < target.version }
        let stuck = try await copy(alive, to: target)
        let moved = alive.filter { !stuck.contains($0.id) }
        try await metadata.moveBlobs(moved.map(\.id), toLayout: target.version)
        let inRepair = try await metadata.blobsInRepair(among: moved.map(\.id))
        await removeSurplus(of: moved.filter { !inRepair.contains($0.id) }, after: target)
        return pending.count - stuck.count
    }

    /// Has the nodes that `target` adds fetch what they lack.
    /// - Returns: blobs of which something could not be copied.
    private func copy(_ blobs: [BlobRecord], to target: Layout) async throws -> Set<BlobID> {
        var moves = blobs.lazy.flatMap { blob in blob.chunks.lazy.map { (blob, $0) } }.flatMap { blob, chunk in
            self.moves(of: blob, chunk, to: target)
        }.makeIterator()
        return try await withThrowingTaskGroup(of: BlobID?.self) { group in
            var stuck: Set<BlobID> = []
            var running = 0
            while true {
                while running < configuration.rebalanceConcurrency, let move = moves.next() {
                    if stuck.contains(move.fragment.chunk.blob) { continue }
                    running += 1
                    group.addTask { try await self.perform(move) ? nil : move.fragment.chunk.blob }
                }
                guard running > 0, let failed = try await group.next() else { return stuck }
                running -= 1
                if let failed { stuck.insert(failed) }
            }
        }
    }

    private struct Move: Sendable {
        let fragment: FragmentID
        let blob: BlobRecord
        let target: NodeID
    }

    private func moves(of blob: BlobRecord, _ chunk: ChunkID, to target: Layout) -> [Move] {
        let before = map.homes(of: chunk, blob.redundancy, in: map.layout(version: blob.layoutVersion) ?? map.current)
        return map.homes(of: chunk, blob.redundancy, in: target).filter { !before.contains($0) }.map { home in
            Move(fragment: home.fragment, blob: blob, target: home.node)
        }
    }

    /// - Returns: whether the fragment is on its new node.
    /// - Throws: `CancellationError`.
    private func perform(_ move: Move) async throws -> Bool {
        guard !background.isPaused, nodes.health(of: move.target) != .down, let transport = nodes.transport(to: move.target) else {
            return false
        }
        do {
            if try await transport.stat(move.fragment) != nil { return true }
            let byteCount = move.blob.fragmentByteCount(of: move.fragment.chunk)
            try await background.take(byteCount)
            try await restore(
                move.fragment, move.blob.redundancy, layoutVersion: move.blob.layoutVersion, on: move.target, transport)
            rebalance.noteMoved(byteCount, at: time.monotonicNow())
            return true
        } catch let error as NodeError {
            nodes.report(error, from: move.target)
            logger.warning(
                "fragment not moved yet", metadata: ["fragment": "\(move.fragment)", "node": "\(move.target)", "error": "\(error)"])
            return false
        }
    }

    /// Removes the fragments of moved blobs from nodes that the layouts before gave them to. What a node does not do now is left
    /// to the sweep.
    private func removeSurplus(of blobs: [BlobRecord], after target: Layout) async {
        var surplus: [NodeID: [FragmentID]] = [:]
        for blob in blobs {
            guard let old = map.layout(version: blob.layoutVersion) else { continue }
            for chunk in blob.chunks {
                let wanted = map.homes(of: chunk, blob.redundancy, in: target)
                for home in map.homes(of: chunk, blob.redundancy, in: old) where !wanted.contains(home) {
                    surplus[home.node, default: []].append(home.fragment)
                }
            }
        }
        for (node, fragments) in surplus.sorted(by: { $0.key < $1.key }) where nodes.record(of: node)?.membership.isPresent == true {
            guard nodes.health(of: node) != .down, let transport = nodes.transport(to: node) else { continue }
            do {
                for start in stride(from: 0, to: fragments.count, by: TransportLimits.maximumBatch) {
                    try await transport.delete(Array(fragments[start..<min(start + TransportLimits.maximumBatch, fragments.count)]))
                }
            } catch {
                nodes.report(error, from: node)
            }
        }
    }

    /// Draining nodes that no layout in use names any more have left.
    private func finishDrains(before target: Layout) async throws {
        let inUse = Set(target.members.map(\.node))
        try await layoutChanges.withPermit {
            for var record in nodes.records where record.membership == .draining && !inUse.contains(record.id) {
                record.membership = .left
                try await metadata.saveNode(record)
                nodes.update(record)
                logger.notice("storage node is drained and has left", metadata: ["node": "\(record.id)", "address": "\(record.address)"])
            }
        }
    }

    /// How far the fragments have come; nil when all are where they should be.
    func rebalanceStatus() async throws -> RebalanceStatus? {
        guard rebalance.isPending else { return nil }
        let target = map.current
        let blobs = try await metadata.unmoved(before: target.version)
        guard blobs.totals.blobCount > 0 else { return nil }
        let (movedBytes, rate) = rebalance.rate(at: time.monotonicNow())
        return RebalanceStatus(
            toVersion: target.version, blobsLeft: blobs.totals.blobCount,
            bytesLeft: blobs.oldestVersion.flatMap(map.layout).map { target.movedBytes(of: blobs, from: $0) } ?? 0, movedBytes: movedBytes,
            bytesPerSecond: rate)
    }
}
