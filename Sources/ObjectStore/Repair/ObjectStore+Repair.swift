internal import ChunkTransport
internal import Core
internal import ErasureCoding
internal import Logging
internal import Metadata
internal import Placement

/// Repair: what a node should have and has not is fetched by that node from another one.
extension ObjectStore {
    private static let batchSize = 64

    func requestRepair(of fragment: FragmentID, on node: NodeID, layoutVersion: Int, reason: RepairRecord.Reason) {
        logger.debug("a fragment is to be restored", metadata: ["fragment": "\(fragment)", "node": "\(node)", "reason": "\(reason)"])
        repairReports.add(
            RepairRecord(fragment: fragment, node: node, layoutVersion: layoutVersion, reason: reason, attempts: 0, dueAt: time.now()))
        repairRequested.raise()
    }

    /// Works through the repair queue until the task is cancelled. A node that returns, or a report, wakes it.
    func repairForever() async {
        await withDiscardingTaskGroup { group in
            group.addTask {
                while (try? await self.nodes.nodeReturned.wait()) != nil { self.repairRequested.raise() }
            }
            var mayHaveSurplus = false
            while !Task.isCancelled {
                do {
                    let (attempts, coveredCount) = background.isPaused ? (0, 0) : try await repairBatch()
                    if coveredCount > 0 { mayHaveSurplus = true }
                    if background.isPaused {
                        try await time.sleep(for: configuration.backgroundInterval)
                    } else if attempts == 0 {
                        if mayHaveSurplus, try await metadata.repairCount() == 0 {
                            // All homes have theirs: what others took for them can go.
                            mayHaveSurplus = false
                            sweepRequested.raise()
                        }
                        try await repairRequested.wait(atMost: configuration.backgroundInterval, time: time)
                    }
                } catch is CancellationError {
                    break
                } catch {
                    logger.error("repair failed", metadata: ["error": "\(error)"])
                    try? await time.sleep(for: configuration.backgroundInterval)
                }
            }
            group.cancelAll()
        }
    }

    /// Repairs what is due on nodes that answer.
    /// - Returns: how many attempts were made, and how many fragments came to their homes that another node may have taken for them.
    func repairBatch() async throws -> (attempts: Int, coveredCount: Int) {
        let reports = repairReports.takeAll()
        if !reports.isEmpty { try await metadata.enqueueRepairs(reports) }
        let due = try await metadata.dueRepairs(at: time.now(), nodes: nodes.ids(in: .up), limit: Self.batchSize)
        guard !due.isEmpty else { return (0, 0) }
        let blobs = try await metadata.blobs(Set(due.map(\.fragment.chunk.blob)).sorted())
        let byID = Dictionary(uniqueKeysWithValues: blobs.map { ($0.id, $0) })
        // On nodes that the layout of the blob, which may have moved since, does not name; and of blobs that are gone.
        let obsolete = Set(
            due.filter { repair in byID[repair.fragment.chunk.blob].map { !isHome(repair.node, of: repair.fragment, in: $0) } ?? false })
        let wanted = due.filter { !obsolete.contains($0) }
        let outcomes = await withTaskGroup(of: (RepairRecord, Bool).self) { group in
            var rest = wanted[...]
            for repair in rest.prefix(configuration.repairConcurrency) {
                group.addTask { (repair, await self.attempt(repair, of: byID[repair.fragment.chunk.blob])) }
            }
            rest = rest.dropFirst(configuration.repairConcurrency)
            var outcomes: [(RepairRecord, Bool)] = []
            for await outcome in group {
                outcomes.append(outcome)
                if let repair = rest.popFirst() {
                    group.addTask { (repair, await self.attempt(repair, of: byID[repair.fragment.chunk.blob])) }
                }
            }
            return outcomes
        }
        try Task.checkCancellation()
        try await metadata.finishRepairs(outcomes.filter(\.1).map(\.0) + due.filter { obsolete.contains($0) })
        try await postpone(outcomes.filter { !$0.1 }.map(\.0))
        return (due.count, outcomes.count { $0.1 && $0.0.reason == .missed })
    }

    /// Whether a node should have a fragment.
    func isHome(_ node: NodeID, of fragment: FragmentID, in blob: BlobRecord) -> Bool {
        map.homes(of: fragment.chunk, blob.redundancy, in: map.layout(version: blob.layoutVersion) ?? map.current)
            .contains(Home(fragment: fragment, node: node))
    }

    /// Sets the next time of repairs that failed, and drops those of blobs that are gone: a read that a deletion overtook
    /// reports what nobody can restore.
    private func postpone(_ failed: [RepairRecord]) async throws {
        guard !failed.isEmpty else { return }
        let known = try await metadata.knownBlobs(among: Set(failed.map(\.fragment.chunk.blob)).sorted())
        try await metadata.finishRepairs(failed.filter { !known.contains($0.fragment.chunk.blob) })
        let byAttempts = Dictionary(grouping: failed.filter { known.contains($0.fragment.chunk.blob) }, by: \.attempts)
        for (attempts, repairs) in byAttempts.sorted(by: { $0.key < $1.key }) {
            try await metadata.postponeRepairs(repairs, until: time.now().advanced(by: backoff(attempts: attempts)))
        }
    }

    private func backoff(attempts: Int) -> Duration {
        min(configuration.repairBackoff * (1 << min(attempts, 20)), configuration.repairBackoffLimit)
    }

    /// - Returns: whether the fragment is where it should be.
    private func attempt(_ repair: RepairRecord, of blob: BlobRecord?) async -> Bool {
        guard let target = nodes.transport(to: repair.node) else { return false }
        do {
            if repair.reason != .corrupt, try await target.stat(repair.fragment) != nil { return true }
            try await restore(
                repair.fragment, blob?.redundancy ?? .replicated, layoutVersion: blob?.layoutVersion ?? repair.layoutVersion,
                on: repair.node, target)
            logger.info(
                "fragment restored",
                metadata: ["fragment": "\(repair.fragment)", "node": "\(repair.node)", "reason": "\(repair.reason.rawValue)"])
            return true
        } catch is CancellationError {
            return false
        } catch {
            nodes.report(error, from: repair.node)
            logger.warning(
                "fragment not restored yet",
                metadata: [
                    "fragment": "\(repair.fragment)", "node": "\(repair.node)", "error": "\(error)", "attempts": "\(repair.attempts + 1)",
                ])
            return false
        }
    }
}
