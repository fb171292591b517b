internal import ChunkStore
internal import ChunkTransport
internal import Core
internal import CoreMetrics
internal import Foundation
internal import Metadata
internal import ObjectStore
internal import PrometheusMetrics

/// The metrics of the process: one registry, told to swift-metrics once, before anything that measures is made.
enum ServerMetrics {
    static let registry: MetricsRegistry = {
        let registry = MetricsRegistry(MetricsCatalog.all)
        // For measuring what measuring costs.
        if ProcessInfo.processInfo.environment["CHUNKFLOW_WITHOUT_METRICS"] != "1" { MetricsSystem.bootstrap(registry) }
        registry.addCollector { ProcessMetrics.collect(into: registry) }
        return registry
    }()

    /// - Parameter role: which program it is.
    static func start(role: String) {
        registry.set("chunkflow_build_info", [("version", chunkFlowVersion), ("role", role)], to: 1)
    }

    /// Has the figures of a storage node read whenever somebody asks for metrics.
    static func observe(_ node: LocalChunkTransport, _ store: ChunkStore) {
        let labels = [("node", node.id.description)]
        registry.addCollector { [registry] in
            let figures = store.statistics()
            registry.set("chunkflow_store_capacity_bytes", labels, to: Double(figures.capacityBytes))
            registry.set("chunkflow_store_available_bytes", labels, to: Double(figures.availableBytes))
            registry.set("chunkflow_store_used_bytes", labels, to: Double(figures.usedBytes))
            registry.set("chunkflow_store_live_bytes", labels, to: Double(figures.liveBytes))
            registry.set("chunkflow_store_fragments", labels, to: Double(figures.fragmentCount))
            registry.set("chunkflow_store_quarantined_fragments", labels, to: Double(figures.quarantinedCount))
            registry.set("chunkflow_store_segments", labels, to: Double(figures.segmentCount))
            registry.set("chunkflow_store_index_bytes", labels, to: Double(figures.indexBytes))
        }
    }

    /// Has the progress of a node's scrub read whenever somebody asks for metrics.
    static func observe(_ scrubber: Scrubber, of node: NodeID) {
        let labels = [("node", node.description)]
        registry.addCollector { [registry] in
            let figures = scrubber.watch.figures
            registry.set("chunkflow_scrub_period_seconds", labels, to: scrubber.periodSeconds)
            registry.setCounter("chunkflow_scrub_bytes_total", labels, to: Double(figures.byteCount))
            registry.setCounter("chunkflow_scrub_corrupt_fragments_total", labels, to: Double(figures.corruptCount))
            if let time = figures.passStartedAt {
                registry.set("chunkflow_scrub_pass_started_timestamp_seconds", labels, to: Double(time) / 1_000)
            }
            if let time = figures.lastFinishedAt {
                registry.set("chunkflow_scrub_last_finished_timestamp_seconds", labels, to: Double(time) / 1_000)
            }
        }
    }

    /// Has the state of the cluster read whenever somebody asks for metrics.
    static func observe(_ store: ObjectStore) {
        registry.addCollector { [registry] in
            observe(store.clusterFigures(), in: registry)
            // What the database does not say is not told: an old figure would look like a good one.
            observe(try? await store.metadataFigures(), in: registry)
        }
    }

    private static func observe(_ figures: ClusterFigures, in registry: MetricsRegistry) {
        registry.set("chunkflow_cluster_layout_version", to: Double(figures.layoutVersion))
        registry.set("chunkflow_background_paused", to: figures.isBackgroundPaused ? 1 : 0)
        registry.setCounter("chunkflow_rebalance_moved_bytes_total", to: Double(figures.movedBytes))
        registry.replace(
            "chunkflow_cluster_nodes",
            with: NodeState.allCases.map { state in ([("state", state.rawValue)], Double(figures.nodes.count { $0.state == state })) })
        func labels(_ node: NodeStatus) -> [(String, String)] { [("node", node.id.description), ("address", node.address)] }
        // One that was taken out for being away is still missed, until somebody removes it.
        registry.replace(
            "chunkflow_node_up",
            with: figures.nodes.filter { $0.state != .left || $0.isLost }.map {
                (labels($0), [.up, .joining, .draining, .failing].contains($0.state) ? 1 : 0)
            })
        registry.replace(
            "chunkflow_node_failing",
            with: figures.nodes.filter { $0.state != .left }.map { (labels($0), $0.state == .failing ? 1 : 0) })
        for (name, figure) in nodeFigures {
            registry.replace(name, with: figures.nodes.filter { $0.state != .left }.map { (labels($0), Double(figure($0))) })
        }
    }

    /// What nodes say of themselves.
    private static let nodeFigures: [(String, @Sendable (NodeStatus) -> Int64)] = [
        ("chunkflow_node_capacity_bytes", { $0.capacityBytes }), ("chunkflow_node_available_bytes", { $0.availableBytes }),
        ("chunkflow_node_used_bytes", { $0.usedBytes }), ("chunkflow_node_fragments", { $0.fragmentCount }),
        ("chunkflow_node_quarantined_fragments", { $0.quarantinedCount }),
    ]

    private static func observe(_ figures: MetadataFigures?, in registry: MetricsRegistry) {
        func tell(_ name: String, _ value: Int64?) { registry.replace(name, with: value.map { [([], Double($0))] } ?? []) }
        tell("chunkflow_cluster_objects", figures?.objectCount)
        tell("chunkflow_cluster_object_bytes", figures?.byteCount)
        tell("chunkflow_repair_queue_fragments", (figures?.repairQueueLength).map { Int64($0) })
        tell("chunkflow_underreplicated_chunks", (figures?.slow.repairs.chunkCount).map { Int64($0) })
        tell("chunkflow_garbage_blobs", figures?.slow.garbage.blobCount)
        tell("chunkflow_garbage_bytes", figures?.slow.garbage.byteCount)
        tell("chunkflow_rebalance_bytes_left", figures.map { $0.slow.rebalance?.bytesLeft ?? 0 })
        tell("chunkflow_rebalance_blobs_left", figures.map { $0.slow.rebalance?.blobsLeft ?? 0 })
        registry.replace(
            "chunkflow_metadata_last_backup_timestamp_seconds",
            with: figures.map { [([], Double($0.lastBackupAt?.millisecondsSince1970 ?? 0) / 1_000)] } ?? [])
        registry.replace(
            "chunkflow_metadata_snapshot_timestamp_seconds",
            with: figures?.lastSnapshotAt.map { [([], Double($0.millisecondsSince1970) / 1_000)] } ?? [])
        registry.replace(
            "chunkflow_repair_queue_by_reason_fragments",
            with: figures.map { figures in
                RepairRecord.Reason.allCases.map { ([("reason", $0.rawValue)], Double(figures.slow.repairs.byReason[$0] ?? 0)) }
            } ?? [])
    }
}
