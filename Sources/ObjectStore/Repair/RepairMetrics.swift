internal import CoreMetrics

/// What repair has come to. Made with the store, so that what has not happened yet is told as 0.
struct RepairMetrics: Sendable {
    let restored = Self.outcome("restored")
    /// The node had the fragment after all.
    let present = Self.outcome("present")
    /// Nobody wants the fragment there any more.
    let obsolete = Self.outcome("obsolete")
    let failed = Self.outcome("failed")
    let restoredBytes = Counter(label: "chunkflow_repair_bytes_total")

    private static func outcome(_ outcome: String) -> Counter {
        Counter(label: "chunkflow_repair_fragments_total", dimensions: [("outcome", outcome)])
    }
}
