internal import ChunkTransport
internal import Core
internal import CoreMetrics
internal import ErasureCoding
internal import Logging
internal import Metadata
internal import Placement

/// Repair: what a node should have and has not is fetched by that node from another one, at the rate and beside the clients as
/// ``BackgroundControl`` allows.
extension ObjectStore {
    /// Entries of the queue that are looked up at once.
    private static let pageSize = 64

    func requestRepair(
        of fragment: FragmentID, _ storageClass: StorageClass, on node: NodeID, layoutVersion: Int, reason: RepairRecord.Reason
    ) {
        logger.debug("a fragment is to be restored", metadata: ["fragment": "\(fragment)", "node": "\(node)", "reason": "\(reason)"])
        repairReports.add(repairRecord(of: fragment, storageClass, on: node, layoutVersion: layoutVersion, reason: reason))
        repairRequested.raise()
    }

    func transferSlots() -> TransferSlots {
        TransferSlots(perNode: configuration.transfersPerNode, total: configuration.transfersAtOnce)
    }

    func repairRecord(
        of fragment: FragmentID, _ storageClass: StorageClass, on node: NodeID, layoutVersion: Int, reason: RepairRecord.Reason
    ) -> RepairRecord {
        RepairRecord(
            fragment: fragment, node: node, layoutVersion: layoutVersion, reason: reason,
            tolerance: map.tolerance(of: storageClass, in: map.layout(version: layoutVersion) ?? map.current), attempts: 0,
            dueAt: time.now())
    }

    /// Works through the repair queue until the task is cancelled. A node that returns, or a report, wakes it.
    func repairForever() async {
        await withDiscardingTaskGroup { group in
            group.addTask {
                while (try? await self.nodes.nodeReturned.wait()) != nil { self.repairRequested.raise() }
            }
            await repairContinuously()
            group.cancelAll()
        }
    }

    private enum RepairTurn: Sendable {
        /// It is time to look at the queue again.
        case woken
        case ended(RepairRecord, RepairOutcome)
    }

    private enum RepairOutcome: Sendable {
        case restored
        /// Nobody wants the fragment there any more.
        case obsolete
        case failed
        case brokenOff
    }

    /// Keeps as many repairs under way as there is room for: the next begins as soon as one has ended.
    private func repairContinuously() async {
        await withTaskGroup(of: RepairTurn.self) { group in
            var schedule = RepairSchedule(slots: transferSlots())
            var isWatching = false
            var mayHaveSurplus = false
            while !Task.isCancelled {
                for repair in await nextRepairs(&schedule) {
                    group.addTask { .ended(repair, await self.settle(repair, await self.attempt(repair))) }
                }
                if schedule.isIdle, mayHaveSurplus, (try? await metadata.repairCount()) == 0 {
                    // All homes have theirs: what others took for them can go.
                    mayHaveSurplus = false
                    sweepRequested.raise()
                }
                if !isWatching {
                    isWatching = true
                    group.addTask {
                        _ = try? await self.repairRequested.wait(atMost: self.configuration.backgroundInterval, time: self.time)
                        return .woken
                    }
                }
                switch await group.next() {
                case .woken:
                    isWatching = false
                    schedule.lookAgain()
                case .ended(let repair, let outcome):
                    schedule.ended(repair)
                    if outcome == .restored, repair.reason == .missed { mayHaveSurplus = true }
                case nil: return
                }
            }
            group.cancelAll()
        }
    }

    /// - Returns: repairs to begin with: as many as there is room for, of what is due on nodes that are up.
    private func nextRepairs(_ schedule: inout RepairSchedule) async -> [RepairRecord] {
        var begun: [RepairRecord] = []
        do {
            let reports = repairReports.takeAll()
            if !reports.isEmpty {
                try await metadata.enqueueRepairs(reports)
                schedule.lookAgain()
            }
            while !background.isPaused {
                while let repair = schedule.next() {
                    if nodes.state(of: repair.node) == .up { begun.append(repair) } else { schedule.ended(repair) }
                }
                let asked = schedule.nodesToAsk(among: nodes.ids(in: .up))
                if asked.isEmpty { break }
                let limit = Self.pageSize + schedule.runningCount
                let due = try await metadata.dueRepairs(at: time.now(), nodes: asked, limit: limit)
                schedule.add(due, for: asked, isAll: due.count < limit)
            }
        } catch {
            if !(error is CancellationError) { logger.error("the repair queue cannot be read", metadata: ["error": "\(error)"]) }
        }
        return begun
    }

    /// Whether a node should have a fragment.
    func isHome(_ node: NodeID, of fragment: FragmentID, in blob: BlobRecord) -> Bool {
        map.homes(of: fragment.chunk, blob.redundancy, in: map.layout(version: blob.layoutVersion) ?? map.current)
            .contains(Home(fragment: fragment, node: node))
    }

    // MARK: One repair

    /// Takes a repair that was done out of the queue, and sets the next time of one that failed.
    private func settle(_ repair: RepairRecord, _ outcome: RepairOutcome) async -> RepairOutcome {
        do {
            switch outcome {
            case .restored, .obsolete: try await metadata.finishRepairs([repair])
            case .failed: try await postpone(repair)
            case .brokenOff: break
            }
        } catch {
            logger.error("the repair queue cannot be written", metadata: ["error": "\(error)"])
            // It would be tried again at once, for as long as the database takes nothing.
            try? await time.sleep(for: configuration.backgroundInterval)
        }
        return outcome
    }

    /// Sets the next time, or drops a repair of a blob that is gone: a read that a deletion overtook reports what nobody can restore.
    private func postpone(_ repair: RepairRecord) async throws {
        if try await metadata.knownBlobs(among: [repair.fragment.chunk.blob]).isEmpty { return try await metadata.finishRepairs([repair]) }
        try await metadata.postponeRepairs([repair], until: time.now().advanced(by: backoff(attempts: repair.attempts)))
    }

    private func backoff(attempts: Int) -> Duration {
        min(configuration.repairBackoff * (1 << min(attempts, 20)), configuration.repairBackoffLimit)
    }

    private func attempt(_ repair: RepairRecord) async -> RepairOutcome {
        guard let target = nodes.transport(to: repair.node) else { return .failed }
        do {
            // Its layout may have changed since the repair was queued.
            let blob = try await metadata.blobs([repair.fragment.chunk.blob]).first
            if let blob, !isHome(repair.node, of: repair.fragment, in: blob) {
                metrics.obsolete.increment()
                return .obsolete
            }
            if repair.reason != .corrupt, try await target.stat(repair.fragment) != nil {
                metrics.present.increment()
                return .restored
            }
            let byteCount = blob?.fragmentByteCount(of: repair.fragment.chunk) ?? configuration.chunkSize
            try await background.take(byteCount, to: repair.node)
            try await restore(
                repair.fragment, blob?.redundancy ?? .replicated, layoutVersion: blob?.layoutVersion ?? repair.layoutVersion,
                on: repair.node, target)
            metrics.restored.increment()
            metrics.restoredBytes.increment(by: blob?.fragmentByteCount(of: repair.fragment.chunk) ?? 0)
            logger.info(
                "fragment restored",
                metadata: ["fragment": "\(repair.fragment)", "node": "\(repair.node)", "reason": "\(repair.reason.rawValue)"])
            return .restored
        } catch is CancellationError {
            return .brokenOff
        } catch {
            nodes.report(error, from: repair.node)
            metrics.failed.increment()
            logger.warning(
                "fragment not restored yet",
                metadata: [
                    "fragment": "\(repair.fragment)", "node": "\(repair.node)", "error": "\(error)", "attempts": "\(repair.attempts + 1)",
                ])
            return .failed
        }
    }
}
