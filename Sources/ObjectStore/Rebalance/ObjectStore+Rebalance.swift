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
///
/// When nodes are lost this is what restores their fragments, and then the order of the names is not good enough: what can lose least comes
/// first (``RestorationUrgency``).
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

    /// Goes through all blobs once; where nodes are gone, first through those chunks that are nearest to their end.
    /// - Returns: whether every one is where the current layout wants it.
    func rebalancePass() async throws -> Bool {
        let target = map.current
        let urgency = try await urgency(before: target)
        for margin in urgency.marginsToServeFirst {
            let isThrough = try await walk(to: target) { pending in
                _ = try await self.active(pending, to: target) { alive in
                    try await self.copy(alive, to: target) { urgency.margin(of: $1, of: $0) == margin }
                }
            }
            guard isThrough else { return false }
        }
        var isComplete = true
        var hasMoved = false
        let isThrough = try await walk(to: target) { pending in
            let moved = try await self.move(pending, to: target)
            if moved < pending.count { isComplete = false }
            if moved > 0 { hasMoved = true }
        }
        guard isThrough else { return false }
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

    /// Hands the blobs that are still where an earlier layout wants them to `body`, a page at a time.
    /// - Returns: false when it was broken off: by an operator's pause, or by a newer layout.
    private func walk(to target: Layout, _ body: ([BlobRecord]) async throws -> Void) async throws -> Bool {
        var position: BlobID?
        while true {
            guard !background.isPaused, map.current.version == target.version else { return false }
            let page = try await metadata.blobs(after: position, limit: Self.pageSize)
            let pending = page.filter { $0.layoutVersion < target.version }
            if !pending.isEmpty { try await body(pending) }
            guard page.count == Self.pageSize else { return true }
            position = page.last?.id
        }
    }

    /// How much each chunk can lose, as far as anybody can tell from here.
    private func urgency(before target: Layout) async throws -> RestorationUrgency {
        let gone = nodes.records.filter { !$0.membership.isPresent || nodes.health(of: $0.id) == .down }.map(\.id)
        let unmoved = try await metadata.unmoved(before: target.version)
        return RestorationUrgency(of: unmoved, before: target, without: Set(gone), map: map)
    }

    /// - Returns: how many have moved, or are gone.
    private func move(_ pending: [BlobRecord], to target: Layout) async throws -> Int {
        try await active(pending, to: target) { alive in
            let stuck = try await copy(alive, to: target)
            let moved = alive.filter { !stuck.contains($0.id) }
            try await metadata.moveBlobs(moved.map(\.id), toLayout: target.version)
            let inRepair = try await metadata.blobsInRepair(among: moved.map(\.id))
            await removeSurplus(of: moved.filter { !inRepair.contains($0.id) }, after: target)
            return pending.count - stuck.count
        }
    }

    /// Keeps the collector away from blobs while `body` works on those that are still there.
    private func active<Value>(
        _ pending: [BlobRecord], to target: Layout, _ body: ([BlobRecord]) async throws -> Value
    ) async throws -> Value {
        for blob in pending { activeBlobs.insert(blob.id) }
        defer { for blob in pending { activeBlobs.remove(blob.id) } }
        // Asked again now that the collector leaves them alone: it may have been at work on what was deleted since.
        return try await body(try await metadata.blobs(pending.map(\.id)).filter { $0.layoutVersion < target.version })
    }

    /// Has the nodes that `target` adds fetch what they lack.
    /// - Parameter isWanted: chunks that are to be copied; the others are left for later.
    /// - Returns: blobs of which something could not be copied.
    private func copy(
        _ blobs: [BlobRecord], to target: Layout, where isWanted: @escaping (BlobRecord, ChunkID) -> Bool = { _, _ in true }
    ) async throws -> Set<BlobID> {
        let moves = blobs.lazy.flatMap { blob in blob.chunks.lazy.map { (blob, $0) } }.filter { isWanted($0.0, $0.1) }
            .flatMap { blob, chunk in self.moves(of: blob, chunk, to: target) }
        var schedule = MoveSchedule(moves: moves.makeIterator(), slots: transferSlots())
        return try await withThrowingTaskGroup(of: (Move, isDone: Bool).self) { group in
            var stuck: Set<BlobID> = []
            while true {
                while let move = schedule.next(except: stuck) {
                    group.addTask { (move, try await self.perform(move)) }
                }
                guard let (move, isDone) = try await group.next() else { return stuck }
                schedule.ended(move)
                if !isDone { stuck.insert(move.fragment.chunk.blob) }
            }
        }
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
        guard !background.isPaused, ![.down, .failing].contains(nodes.state(of: move.target)),
            let transport = nodes.transport(to: move.target)
        else {
            return false
        }
        do {
            if try await transport.stat(move.fragment) != nil { return true }
            let byteCount = move.blob.fragmentByteCount(of: move.fragment.chunk)
            try await background.take(byteCount, to: move.target)
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

    /// Fragments on their way to where the current layout wants them.
    struct Movement {
        let status: RebalanceStatus
        /// The layout that the last of them still follow.
        let oldest: Layout
    }

    /// How far the fragments have come; nil when all are where they should be.
    func movement() async throws -> Movement? {
        guard rebalance.isPending else { return nil }
        let target = map.current
        let blobs = try await metadata.unmoved(before: target.version)
        guard blobs.totals.blobCount > 0 else { return nil }
        let (movedBytes, rate) = rebalance.rate(at: time.monotonicNow())
        let oldest = blobs.oldestVersion.flatMap(map.layout)
        let status = RebalanceStatus(
            toVersion: target.version, blobsLeft: blobs.totals.blobCount,
            bytesLeft: oldest.map { target.movedBytes(of: blobs, from: $0) } ?? 0, movedBytes: movedBytes, bytesPerSecond: rate)
        return Movement(status: status, oldest: oldest ?? target)
    }
}
