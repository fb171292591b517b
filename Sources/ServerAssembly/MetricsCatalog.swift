internal import PrometheusMetrics

/// Every metric that chunkFlow makes, with what it means: the one place where they are described.
enum MetricsCatalog {
    static let all: [MetricDescription] = process + http + store + scrub + nodes + cluster + repair + metadata

    /// Ten methods of as many nodes as a cluster has on a bad day.
    private static let nodeCallLimit = 20_000

    private static let latencies = MetricDescription.latencyBuckets

    private static let process =
        ProcessMetrics.descriptions + [
            MetricDescription("chunkflow_build_info", "1, with the version and the role as labels."),
            MetricDescription(
                "chunkflow_trace_spans_total",
                "Spans by outcome: sent to the collector; dropped, because too many waited; failed, because it did not take them."),
        ]

    private static let http = [
        MetricDescription("chunkflow_http_requests_total", "Requests answered, by API, method, route and status; 499: the client left."),
        MetricDescription(
            "chunkflow_http_request_duration_seconds", "From a request's head to the end of its answer.", buckets: latencies),
        MetricDescription("chunkflow_http_request_bytes_total", "Bytes that clients sent."),
        MetricDescription("chunkflow_http_response_bytes_total", "Bytes of answers' bodies."),
        MetricDescription("chunkflow_http_requests_in_flight", "Requests that are being answered."),
    ]

    private static let store = [
        MetricDescription(
            "chunkflow_store_commit_duration_seconds", "Time to write a batch of records and make it durable.", buckets: latencies),
        MetricDescription(
            "chunkflow_store_commit_records", "Fragments and deletions that shared a commit.", buckets: MetricDescription.countBuckets),
        MetricDescription("chunkflow_store_sync_duration_seconds", "Time of one fdatasync of a segment.", buckets: latencies),
        MetricDescription("chunkflow_store_corrupt_fragments_total", "Fragments found corrupt, by reads and by scrubbing."),
        MetricDescription(
            "chunkflow_disk_errors_total", "Reads, writes and flushes that a node's disk refused, but for want of space, by operation."),
        MetricDescription("chunkflow_store_capacity_bytes", "Size of the file system under the data directory."),
        MetricDescription("chunkflow_store_available_bytes", "Bytes that new fragments can still take."),
        MetricDescription("chunkflow_store_used_bytes", "Bytes of the data directory, dead fragments not yet reclaimed included."),
        MetricDescription("chunkflow_store_live_bytes", "Bytes of payload that can be read."),
        MetricDescription("chunkflow_store_fragments", "Fragments that can be read."),
        MetricDescription("chunkflow_store_quarantined_fragments", "Fragments found corrupt and not yet replaced."),
        MetricDescription("chunkflow_store_segments", "Segment files."),
        MetricDescription("chunkflow_store_index_bytes", "Memory of the index of fragments."),
    ]

    private static let scrub = [
        MetricDescription(
            "chunkflow_scrub_last_finished_timestamp_seconds",
            "When all of the node's fragments had last been re-read; not before the first time."
        ),
        MetricDescription("chunkflow_scrub_pass_started_timestamp_seconds", "When the re-reading began that is under way."),
        MetricDescription("chunkflow_scrub_period_seconds", "How long re-reading everything may take."),
        MetricDescription("chunkflow_scrub_bytes_total", "Bytes re-read since the start of the process."),
        MetricDescription(
            "chunkflow_scrub_corrupt_fragments_total", "Fragments that re-reading found corrupt since the start of the process."),
    ]

    private static let nodes = [
        MetricDescription(
            "chunkflow_node_call_duration_seconds", "Time of calls to storage nodes, by the node's address and method.", buckets: latencies,
            childLimit: nodeCallLimit),
        MetricDescription(
            "chunkflow_node_call_errors_total", "Calls to storage nodes that failed, by the node's address and method.",
            childLimit: nodeCallLimit),
        MetricDescription(
            "chunkflow_rpc_server_duration_seconds", "From the arrival of another server's call to the end of its answer, by method.",
            buckets: latencies),
        MetricDescription("chunkflow_rpc_server_calls_total", "Calls of other servers, by method and gRPC status."),
        MetricDescription("chunkflow_rpc_server_calls_in_flight", "Calls of other servers that are being answered."),
        MetricDescription("chunkflow_node_up", "1 while the storage node answers."),
        MetricDescription("chunkflow_node_failing", "1 while a disk of the storage node fails."),
        MetricDescription("chunkflow_node_capacity_bytes", "Size of the node's file system, as it last said."),
        MetricDescription("chunkflow_node_available_bytes", "Bytes that the node can still take, as it last said."),
        MetricDescription("chunkflow_node_used_bytes", "Bytes that the node's data take, as it last said."),
        MetricDescription("chunkflow_node_fragments", "Fragments on the node, as it last said."),
        MetricDescription("chunkflow_node_quarantined_fragments", "Fragments that the node found corrupt and that are not yet replaced."),
    ]

    private static let cluster = [
        MetricDescription("chunkflow_cluster_objects", "Objects."),
        MetricDescription("chunkflow_cluster_object_bytes", "Bytes of content of all objects, copies not counted."),
        MetricDescription("chunkflow_cluster_layout_version", "Number of the layout that new objects follow."),
        MetricDescription("chunkflow_cluster_nodes", "Storage nodes, by state."),
        MetricDescription("chunkflow_repair_queue_fragments", "Fragments that are missing or corrupt and wait to be restored."),
        MetricDescription(
            "chunkflow_repair_queue_by_reason_fragments",
            "The same by reason: missed, written while the node was away; missing, or corrupt, on it. Up to 30 s old."),
        MetricDescription(
            "chunkflow_underreplicated_chunks", "Chunks of which at least one fragment waits to be restored. Up to 30 s old."),
        MetricDescription("chunkflow_garbage_blobs", "Deleted or given-up blobs that nodes still have. Up to 30 s old."),
        MetricDescription("chunkflow_garbage_bytes", "Bytes of content of these blobs, copies not counted. Up to 30 s old."),
        MetricDescription("chunkflow_rebalance_moved_bytes_total", "Bytes that rebalancing copied between nodes."),
        MetricDescription("chunkflow_rebalance_bytes_left", "Bytes that still have to move to where the layout wants them, estimated."),
        MetricDescription("chunkflow_rebalance_blobs_left", "Blobs that are still where an older layout wants them."),
        MetricDescription(
            "chunkflow_lifecycle_expired_total",
            "What went because a bucket's rules said so: latest versions, older ones, lone delete markers, uploads."),
        MetricDescription("chunkflow_background_paused", "1 while background movement is paused by an operator."),
    ]

    private static let repair = [
        MetricDescription(
            "chunkflow_repair_fragments_total",
            "Attempts at repair by outcome: restored, present (it was there after all), obsolete (nobody wants it any more), failed."),
        MetricDescription("chunkflow_repair_bytes_total", "Bytes of the fragments restored."),
        MetricDescription(
            "chunkflow_erasure_decoder_cache_hits_total", "Rows of erasure-coded chunks that were computed with tables at hand."),
        MetricDescription("chunkflow_erasure_decoder_cache_misses_total", "Rows of erasure-coded chunks whose tables had to be made."),
    ]

    private static let metadata = [
        MetricDescription(
            "chunkflow_metadata_commit_duration_seconds", "Time of one transaction of the metadata database.", buckets: latencies),
        MetricDescription(
            "chunkflow_metadata_snapshot_timestamp_seconds",
            "Until when a snapshot of the metadata, kept in the cluster, has everything, in seconds since 1970. Absent without one."),
        MetricDescription(
            "chunkflow_metadata_commit_requests", "Requests that shared a transaction.", buckets: MetricDescription.countBuckets),
        MetricDescription(
            "chunkflow_metadata_last_backup_timestamp_seconds",
            "When the last backup was made that reached a client whole; 0 before the first."),
        MetricDescription(
            "chunkflow_metadata_page_cache_hits_total", "Pages of the metadata database that were in the cache of a connection."),
        MetricDescription("chunkflow_metadata_page_cache_misses_total", "Pages of the metadata database that had to be read."),
    ]
}
