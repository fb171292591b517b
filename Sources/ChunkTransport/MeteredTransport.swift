public import Core
internal import CoreMetrics
public import ErasureCoding
internal import Traces
internal import Tracing

/// A node whose calls are counted and timed, by method and outcome.
public struct MeteredTransport: ChunkTransport {
    private let node: any ChunkTransport
    private let time: any TimeSource
    private let metrics: NodeCallMetrics

    /// - Parameter address: of the node, for the label: one of few.
    public init(_ node: any ChunkTransport, address: String, time: any TimeSource) {
        self.init(node, metrics: NodeCallMetrics(address: address), time: time)
    }

    init(_ node: any ChunkTransport, metrics: NodeCallMetrics, time: any TimeSource) {
        self.node = node
        self.metrics = metrics
        self.time = time
    }

    private func measured<Value>(_ method: NodeCallMetrics.Method, _ body: () async throws -> Value) async throws -> Value {
        let start = time.monotonicNow()
        do {
            let value = try await traced(
                "node \(method.name)", kind: .client, ["server.address": .string(metrics.address)], body)
            method.duration.recordNanoseconds((time.monotonicNow() - start).nanoseconds)
            return value
        } catch let error as NodeError {
            method.duration.recordNanoseconds((time.monotonicNow() - start).nanoseconds)
            method.failures.increment()
            throw error
        }
    }

    public func put(
        _ id: FragmentID, pieces: BoundedQueue<Piece>, descriptor: @escaping @Sendable () -> [UInt8]
    ) async throws -> FragmentInfo {
        try await measured(metrics.put) { try await node.put(id, pieces: pieces, descriptor: descriptor) }
    }

    public func get(
        _ id: FragmentID, range: Range<Int>?, deliver: @escaping @Sendable (Piece) async throws -> Void
    ) async throws -> FragmentInfo {
        try await measured(metrics.get) { try await node.get(id, range: range, deliver: deliver) }
    }

    public func descriptor(of id: FragmentID) async throws -> [UInt8] {
        try await measured(metrics.descriptor) { try await node.descriptor(of: id) }
    }

    public func delete(_ ids: [FragmentID]) async throws { try await measured(metrics.delete) { try await node.delete(ids) } }

    public func stat(_ id: FragmentID) async throws -> FragmentInfo? { try await measured(metrics.stat) { try await node.stat(id) } }

    public func list(after cursor: ListCursor?, limit: Int) async throws -> FragmentPage {
        try await measured(metrics.list) { try await node.list(after: cursor, limit: limit) }
    }

    public func quarantined(limit: Int) async throws -> [FragmentID] {
        try await measured(metrics.list) { try await node.quarantined(limit: limit) }
    }

    public func information() async throws -> NodeInformation { try await measured(metrics.information) { try await node.information() } }

    public func claim(for cluster: ClusterID) async throws -> NodeInformation {
        try await measured(metrics.claim) { try await node.claim(for: cluster) }
    }

    public func pull(_ id: FragmentID, from sources: [Peer]) async throws -> FragmentInfo {
        try await measured(metrics.pull) { try await node.pull(id, from: sources) }
    }

    public func reconstruct(_ id: FragmentID, code: ErasureCode, from sources: [FragmentSource]) async throws -> FragmentInfo {
        try await measured(metrics.reconstruct) { try await node.reconstruct(id, code: code, from: sources) }
    }
}
