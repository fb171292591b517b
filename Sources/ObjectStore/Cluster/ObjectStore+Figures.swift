public import Core
public import Metadata
internal import Placement
import Synchronization

/// What is known of the cluster without asking anybody.
public struct ClusterFigures: Sendable {
    public let nodes: [NodeStatus]
    public let layoutVersion: Int
    public let isBackgroundPaused: Bool
    /// Copied between nodes by rebalancing since this distributor started.
    public let movedBytes: Int64
}

/// What the metadata say of the cluster.
public struct MetadataFigures: Sendable {
    public let objectCount: Int64
    public let byteCount: Int64
    /// Fragments that wait to be restored.
    public let repairQueueLength: Int
    /// When the last backup was made that reached a client whole; nil before the first.
    public let lastBackupAt: Timestamp?
    /// Until when the newest snapshot on the storage nodes has everything; nil before the first.
    public let lastSnapshotAt: Timestamp?
    public let slow: Slow

    /// What a pass over a table says: up to ``ObjectStore/slowFigureAge`` old.
    public struct Slow: Sendable {
        public let repairs: RepairBacklog
        public let garbage: BlobTotals
        /// nil when every fragment is where the current layout wants it.
        public let rebalance: RebalanceStatus?
    }
}

/// For those who look again and again. Whoever looks once, and wants to know it exactly, asks for ``ObjectStore/clusterStatus()``.
extension ObjectStore {
    /// How old figures may be that take a pass over a table.
    public static let slowFigureAge = Duration.seconds(30)
    static let backupMoment = "metadata-backup"

    public func clusterFigures() -> ClusterFigures {
        ClusterFigures(
            nodes: nodes.status(), layoutVersion: map.current.version, isBackgroundPaused: background.isPaused,
            movedBytes: rebalance.rate(at: time.monotonicNow()).movedBytes)
    }

    /// - Throws: ``StoreError``
    public func metadataFigures() async throws -> MetadataFigures {
        try await committing {
            let totals = try await self.metadata.totals()
            return MetadataFigures(
                objectCount: totals.objectCount, byteCount: totals.byteCount, repairQueueLength: try await self.metadata.repairCount(),
                lastBackupAt: try await self.metadata.moment(named: Self.backupMoment), lastSnapshotAt: self.snapshots.currentAt,
                slow: try await self.slowFigures.figures(at: self.time.monotonicNow(), maximumAge: Self.slowFigureAge) {
                    MetadataFigures.Slow(
                        repairs: try await self.metadata.repairBacklog(), garbage: try await self.metadata.garbageTotals(),
                        rebalance: try await self.movement()?.status)
                })
        }
    }
}

/// The last slow figures. One task finds them out at a time; who comes meanwhile gets the last ones.
final class SlowFigures: Sendable {
    private struct State {
        var last: (figures: MetadataFigures.Slow, at: MonotonicInstant)?
        var isBusy = false
    }

    private let state = Mutex(State())

    func figures(
        at now: MonotonicInstant, maximumAge: Duration, _ find: () async throws -> MetadataFigures.Slow
    ) async throws -> MetadataFigures.Slow {
        let known = state.withLock { state -> MetadataFigures.Slow? in
            if let last = state.last, state.isBusy || now - last.at < maximumAge { return last.figures }
            state.isBusy = true
            return nil
        }
        if let known { return known }
        do {
            let found = try await find()
            state.withLock { $0 = State(last: (found, now)) }
            return found
        } catch {
            state.withLock { $0.isBusy = false }
            throw error
        }
    }
}
