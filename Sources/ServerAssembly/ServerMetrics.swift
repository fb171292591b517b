internal import ChunkStore
internal import ChunkTransport
internal import Core
internal import CoreMetrics
internal import ObjectStore
internal import PrometheusMetrics

/// The metrics of the process: one registry, told to swift-metrics once, before anything that measures is made.
enum ServerMetrics {
    static let registry: MetricsRegistry = {
        let registry = MetricsRegistry(MetricsCatalog.all)
        MetricsSystem.bootstrap(registry)
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

    /// Has the state of the cluster read whenever somebody asks for metrics.
    static func observe(_ store: ObjectStore) {
        registry.addCollector { [registry] in
            guard let status = try? await store.clusterStatus() else { return }
            registry.set("chunkflow_cluster_objects", to: Double(status.objectCount))
            registry.set("chunkflow_cluster_object_bytes", to: Double(status.byteCount))
            registry.set("chunkflow_cluster_layout_version", to: Double(status.layoutVersion))
            registry.set("chunkflow_repair_queue_fragments", to: Double(status.repairQueueLength))
            registry.set("chunkflow_rebalance_bytes_left", to: Double(status.rebalance?.bytesLeft ?? 0))
            registry.set("chunkflow_rebalance_blobs_left", to: Double(status.rebalance?.blobsLeft ?? 0))
            registry.set("chunkflow_background_paused", to: status.isBackgroundPaused ? 1 : 0)
            for state in NodeState.allCases {
                registry.set(
                    "chunkflow_cluster_nodes", [("state", state.rawValue)], to: Double(status.nodes.count { $0.state == state }))
            }
            for name in nodeFigures { registry.removeAll(name) }
            for node in status.nodes where node.state != .left {
                let labels = [("node", node.id.description), ("address", node.address)]
                registry.set("chunkflow_node_up", labels, to: [.up, .joining, .draining, .failing].contains(node.state) ? 1 : 0)
                registry.set("chunkflow_node_capacity_bytes", labels, to: Double(node.capacityBytes))
                registry.set("chunkflow_node_available_bytes", labels, to: Double(node.availableBytes))
                registry.set("chunkflow_node_used_bytes", labels, to: Double(node.usedBytes))
                registry.set("chunkflow_node_fragments", labels, to: Double(node.fragmentCount))
                registry.set("chunkflow_node_quarantined_fragments", labels, to: Double(node.quarantinedCount))
            }
        }
    }

    /// Of nodes that come and go.
    private static let nodeFigures = [
        "chunkflow_node_up", "chunkflow_node_capacity_bytes", "chunkflow_node_available_bytes", "chunkflow_node_used_bytes",
        "chunkflow_node_fragments", "chunkflow_node_quarantined_fragments",
    ]
}
