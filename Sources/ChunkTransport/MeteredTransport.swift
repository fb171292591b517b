public import Core
internal import CoreMetrics
public import ErasureCoding

/// A node whose calls are counted and timed, by method and outcome.
public struct MeteredTransport: ChunkTransport {
    private let node: any ChunkTransport
    private let name: String
    private let time: any TimeSource
    private let cells: Cells

    private struct Cells: Sendable {
        struct Method: Sendable {
            let duration: Timer
            let failures: Counter

            init(_ method: String, node: String) {
                let labels = [("node", node), ("method", method)]
                duration = Timer(label: "chunkflow_node_call_duration_seconds", dimensions: labels)
                failures = Counter(label: "chunkflow_node_call_errors_total", dimensions: labels)
            }
        }

        let put, get, descriptor, delete, stat, list, information, claim, pull, reconstruct: Method

        init(node: String) {
            put = Method("put", node: node)
            get = Method("get", node: node)
            descriptor = Method("descriptor", node: node)
            delete = Method("delete", node: node)
            stat = Method("stat", node: node)
            list = Method("list", node: node)
            information = Method("information", node: node)
            claim = Method("claim", node: node)
            pull = Method("pull", node: node)
            reconstruct = Method("reconstruct", node: node)
        }
    }

    /// - Parameter name: of the node, for the label: one of few.
    public init(_ node: any ChunkTransport, name: String, time: any TimeSource) {
        self.node = node
        self.name = name
        self.time = time
        cells = Cells(node: name)
    }

    private func measured<Value>(_ method: Cells.Method, _ body: () async throws -> Value) async throws -> Value {
        let start = time.monotonicNow()
        do {
            let value = try await body()
            method.duration.recordNanoseconds((time.monotonicNow() - start).nanoseconds)
            return value
        } catch let error as NodeError {
            method.duration.recordNanoseconds((time.monotonicNow() - start).nanoseconds)
            method.failures.increment()
            throw error
        }
    }

    public func put(_ id: FragmentID, descriptor: [UInt8], pieces: BoundedQueue<Piece>) async throws -> FragmentInfo {
        try await measured(cells.put) { try await node.put(id, descriptor: descriptor, pieces: pieces) }
    }

    public func get(
        _ id: FragmentID, range: Range<Int>?, deliver: @escaping @Sendable (Piece) async throws -> Void
    ) async throws -> FragmentInfo {
        try await measured(cells.get) { try await node.get(id, range: range, deliver: deliver) }
    }

    public func descriptor(of id: FragmentID) async throws -> [UInt8] {
        try await measured(cells.descriptor) { try await node.descriptor(of: id) }
    }

    public func delete(_ ids: [FragmentID]) async throws { try await measured(cells.delete) { try await node.delete(ids) } }

    public func stat(_ id: FragmentID) async throws -> FragmentInfo? { try await measured(cells.stat) { try await node.stat(id) } }

    public func list(after cursor: ListCursor?, limit: Int) async throws -> FragmentPage {
        try await measured(cells.list) { try await node.list(after: cursor, limit: limit) }
    }

    public func quarantined(limit: Int) async throws -> [FragmentID] {
        try await measured(cells.list) { try await node.quarantined(limit: limit) }
    }

    public func information() async throws -> NodeInformation { try await measured(cells.information) { try await node.information() } }

    public func claim(for cluster: ClusterID) async throws -> NodeInformation {
        try await measured(cells.claim) { try await node.claim(for: cluster) }
    }

    public func pull(_ id: FragmentID, from sources: [Peer]) async throws -> FragmentInfo {
        try await measured(cells.pull) { try await node.pull(id, from: sources) }
    }

    public func reconstruct(_ id: FragmentID, code: ErasureCode, from sources: [FragmentSource]) async throws -> FragmentInfo {
        try await measured(cells.reconstruct) { try await node.reconstruct(id, code: code, from: sources) }
    }
}
