internal import ChunkTransport
internal import Core
internal import Logging
internal import Metadata
internal import Placement

/// Repair: what a node should have and has not is fetched by that node from another one.
extension ObjectStore {
    private static let batchSize = 64

    func requestRepair(of fragment: FragmentID, on node: NodeID, layoutVersion: Int, reason: RepairRecord.Reason) {
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
            while !Task.isCancelled {
                do {
                    if background.isPaused {
                        try await time.sleep(for: configuration.backgroundInterval)
                    } else if try await repairBatch() == 0 {
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
    /// - Returns: how many attempts were made.
    func repairBatch() async throws -> Int {
        let reports = repairReports.takeAll()
        if !reports.isEmpty { try await metadata.enqueueRepairs(reports) }
        let due = try await metadata.dueRepairs(at: time.now(), nodes: nodes.ids(in: .up), limit: Self.batchSize)
        guard !due.isEmpty else { return 0 }
        let obsolete = try await obsolete(among: due)
        let wanted = due.filter { !obsolete.contains($0) }
        let outcomes = await withTaskGroup(of: (RepairRecord, Bool).self) { group in
            var rest = wanted[...]
            for repair in rest.prefix(configuration.repairConcurrency) { group.addTask { (repair, await self.attempt(repair)) } }
            rest = rest.dropFirst(configuration.repairConcurrency)
            var outcomes: [(RepairRecord, Bool)] = []
            for await outcome in group {
                outcomes.append(outcome)
                if let repair = rest.popFirst() { group.addTask { (repair, await self.attempt(repair)) } }
            }
            return outcomes
        }
        try Task.checkCancellation()
        try await metadata.finishRepairs(outcomes.filter(\.1).map(\.0) + due.filter { obsolete.contains($0) })
        try await postpone(outcomes.filter { !$0.1 }.map(\.0))
        return due.count
    }

    /// Repairs on nodes that the layout of the blob, which may have moved since, does not name.
    private func obsolete(among due: [RepairRecord]) async throws -> Set<RepairRecord> {
        let blobs = try await metadata.blobs(Set(due.map(\.fragment.chunk.blob)).sorted())
        let layouts = Dictionary(uniqueKeysWithValues: blobs.map { ($0.id, map.layout(version: $0.layoutVersion) ?? map.current) })
        return Set(
            due.filter { repair in
                layouts[repair.fragment.chunk.blob].map { !map.holders(of: repair.fragment.chunk, in: $0).contains(repair.node) } ?? false
            })
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
    private func attempt(_ repair: RepairRecord) async -> Bool {
        guard let target = nodes.transport(to: repair.node) else { return false }
        do {
            if repair.reason != .corrupt, try await target.stat(repair.fragment) != nil { return true }
            let (wanted, successors) = map.places(of: repair.fragment.chunk, layoutVersion: repair.layoutVersion)
            let sources = nodes.byHealth(wanted + successors).filter { $0 != repair.node && nodes.health(of: $0) != .down }
            _ = try await target.pull(repair.fragment, from: sources.compactMap(nodes.peer))
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
