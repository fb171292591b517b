internal import ChunkTransport
public import Core
internal import ErasureCoding
public import Logging
public import Metadata
internal import Placement
import Synchronization

/// The store: write path, read path, and the loops that repair and collect behind them.
///
/// Safe to use from any task. Construct it, keep ``run()`` running, and use the ``FileStore`` methods.
public final class ObjectStore: FileStore, Sendable {
    /// The bucket of the files that `POST /upload` makes.
    public static let fileBucketName = "files"

    let configuration: StoreConfiguration
    public let metadata: any MetadataStore
    let nodes: ClusterNodes
    let map: ClusterMap
    let cluster: ClusterID
    let snapshots: MetadataSnapshots
    private let knownFileBucket: Mutex<BucketRecord>
    let time: any TimeSource
    let random: any RandomSource
    /// Where hashing runs, and what else holds a core.
    public let digestExecutor: any BlockingExecutor
    let logger: Logger
    let startedAt: Timestamp
    /// Until then nothing is removed for being unknown: the metadata are from a backup and do not know what came after it.
    let orphansKeptUntil: Timestamp?

    let activeBlobs = ActiveBlobs()
    let balance = WriteBalance()
    /// Of the pieces of all uploads.
    let uploadMemory: MemoryBudget
    let background: BackgroundControl
    let rebalance = RebalanceProgress()
    /// Of what is stored anew for the class of its bucket.
    let reencodedRecently = RebalanceProgress()
    /// Raised when objects are to be stored anew.
    let reencodingRequested = Signal()
    /// Held while the members or the layout change.
    let layoutChanges = AsyncPermits(count: 1)
    /// Raised when blobs may not be where the current layout wants them.
    let rebalanceRequested = Signal()
    /// Raised when nodes may have fragments that they should not have.
    let sweepRequested = Signal()
    let readLatencies = ReadLatencies()
    let coders = ErasureCoders()
    /// Makes a transport to the node at an address.
    let connect: @Sendable (_ address: String) throws -> any ChunkTransport
    /// Raised when something may be in the repair queue.
    let repairRequested = Signal()
    /// Raised when something may be on the garbage list.
    let garbageAdded = Signal()
    let repairReports = RepairReports()
    let metrics = RepairMetrics()
    let lifecycleMetrics = LifecycleMetrics()
    /// What takes a pass over a table to find out, and is told to everybody who asks within a while.
    let slowFigures = SlowFigures()
    private let running = Mutex(true)

    var isRunning: Bool { running.withLock { $0 } }

    /// - Parameters:
    ///   - cluster: the cluster, its nodes and its layouts, as ``ClusterBootstrap`` made or found them.
    ///   - digestExecutor: where hashing runs.
    /// - Throws: ``StoreError/metadataFailure`` when the bucket of uploaded files cannot be made.
    public init(
        configuration: StoreConfiguration, cluster: Cluster, metadata: any MetadataStore, time: any TimeSource, random: any RandomSource,
        digestExecutor: any BlockingExecutor, logger: Logger
    ) async throws {
        precondition(configuration.replicas >= 1 && (1...configuration.replicas).contains(configuration.writeQuorum))
        self.configuration = configuration
        self.metadata = metadata
        self.cluster = cluster.id
        nodes = cluster.nodes
        map = cluster.map
        connect = cluster.connect
        background = BackgroundControl(bytesPerSecond: configuration.rebalanceBytesPerSecond, time: time)
        self.time = time
        self.random = random
        self.digestExecutor = digestExecutor
        self.logger = logger
        startedAt = time.now()
        uploadMemory = MemoryBudget(byteCount: configuration.uploadMemory)
        do {
            knownFileBucket = Mutex(try await metadata.ensureBucket(named: Self.fileBucketName, at: startedAt))
            snapshots = try await MetadataSnapshots(metadata, at: startedAt)
            background.setPaused(try await metadata.flag(named: Self.pausedFlag))
            orphansKeptUntil = try await metadata.restoredAt()?.advanced(by: configuration.restoreGrace)
        } catch {
            throw StoreError.metadataFailure(detail: "\(error)")
        }
        if let orphansKeptUntil, startedAt < orphansKeptUntil {
            logger.warning(
                "the metadata were restored from a backup: fragments that they do not know are not removed yet",
                metadata: ["hoursLeft": "\((orphansKeptUntil.millisecondsSince1970 - startedAt.millisecondsSince1970) / 3_600_000)"])
        }
    }

    /// Probes the nodes, repairs, collects, until the task is cancelled. Of several distributors on one database, one repairs and
    /// collects at a time.
    public func run() async {
        let coordinator = Coordinator(
            name: "background", holder: LeaseHolder(time: startedAt, random: random), leases: metadata, time: time, logger: logger)
        await withDiscardingTaskGroup { group in
            group.addTask { await self.nodes.probeForever() }
            group.addTask { await coordinator.run { await self.runBackground() } }
            // Another distributor may be told how files are to be stored.
            if !metadata.isExclusive { group.addTask { await self.watchFileBucketForever() } }
        }
    }

    private func runBackground() async {
        await withDiscardingTaskGroup { group in
            group.addTask { await self.repairForever() }
            group.addTask { await self.collectForever() }
            group.addTask { await self.sweepForever() }
            group.addTask { await self.watchQuarantineForever() }
            group.addTask { await self.rebalanceForever() }
            group.addTask { await self.watchMembersForever() }
            if let interval = configuration.snapshotInterval { group.addTask { await self.snapshotForever(every: interval) } }
            group.addTask { await self.reencodeForever() }
            group.addTask { await self.lifecycleForever() }
        }
    }

    /// The bucket of uploaded files, with the class that it was last seen to have.
    var fileBucket: BucketRecord { knownFileBucket.withLock { $0 } }

    func note(_ bucket: BucketRecord) {
        knownFileBucket.withLock { if $0.id == bucket.id { $0 = bucket } }
    }

    private func watchFileBucketForever() async {
        while (try? await time.sleep(for: configuration.backgroundInterval)) != nil {
            if let bucket = try? await metadata.bucket(named: Self.fileBucketName) { note(bucket) }
        }
    }

    /// Takes no more uploads; what has begun goes on.
    public func beginShutdown() { running.withLock { $0 = false } }

    public func clusterStatus() async throws -> ClusterStatus {
        let (totals, repairCount, movement, reencodings) = try await committing {
            (
                try await self.metadata.totals(), try await self.metadata.repairCount(), try await self.movement(),
                try await self.reencodingStatus()
            )
        }
        let layout = map.current
        return ClusterStatus(
            cluster: cluster, nodes: nodeStatus(movement), layoutVersion: layout.version, partitionCount: layout.partitionCount,
            replicas: configuration.replicas, writeQuorum: configuration.writeQuorum,
            storageClass: defaultStorageClass(in: layout).resolved(replicas: configuration.replicas).description,
            objectCount: totals.objectCount,
            byteCount: totals.byteCount, repairQueueLength: repairCount, rebalance: movement?.status, reencodings: reencodings,
            isBackgroundPaused: background.isPaused, metadataSnapshotAt: snapshots.currentAt)
    }

    /// A node that the layout behind has not is joining as long as something follows that layout.
    private func nodeStatus(_ movement: Movement?) -> [NodeStatus] {
        let settled = movement.map { Set($0.oldest.members.map(\.node)) }
        return nodes.status().map { node in
            var node = node
            if node.state == .up, let settled, !settled.contains(node.id) { node.state = .joining }
            return node
        }
    }

    /// The nodes that should hold a chunk: for tests.
    package func expectedNodes(of chunk: ChunkID, in blob: BlobRecord) -> [(fragment: FragmentID, node: NodeID)] {
        map.homes(of: chunk, blob.redundancy, in: map.layout(version: blob.layoutVersion) ?? map.current).map { ($0.fragment, $0.node) }
    }

    /// Runs calls to the metadata database, for an edge that has more to do with it than this store offers.
    ///
    /// What the database answers to a request that cannot be fulfilled is thrown on as it is: ``Metadata/MetadataError/isRefusal``.
    /// What happens to the database itself becomes a ``StoreError``.
    public func committing<Value: Sendable>(_ body: (any MetadataStore) async throws -> Value) async throws -> Value {
        do {
            return try await body(metadata)
        } catch let error as MetadataError where error.isRefusal {
            throw error
        } catch let error as MetadataError {
            throw failure(error)
        }
    }

    /// Runs a call to the metadata database, whose errors become the store's; but for those that say of an object, or its bucket, why it
    /// is not as the request wants it.
    func committing<Value: Sendable>(_ body: () async throws -> Value) async throws -> Value {
        do {
            return try await body()
        } catch let error as MetadataError {
            if case .conflict = error { throw failure(error) }
            throw error.isRefusal ? error : failure(error)
        }
    }

    private func failure(_ error: MetadataError) -> StoreError {
        switch error {
        case .diskFull: return .insufficientStorage(detail: "the metadata database has no room left")
        case .closed: return .shuttingDown
        default:
            logger.error("metadata database failed", metadata: ["error": "\(error)"])
            return .metadataFailure(detail: "\(error)")
        }
    }
}
