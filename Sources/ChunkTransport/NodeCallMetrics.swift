internal import CoreMetrics

/// The metrics of calls to one node. Safe to use from any task.
struct NodeCallMetrics: Sendable {
    struct Method: Sendable {
        let name: String
        let duration: Timer
        let failures: Counter

        init(_ name: String, address: String) {
            let labels = [("address", address), ("method", name)]
            self.name = name
            duration = Timer(label: "chunkflow_node_call_duration_seconds", dimensions: labels)
            failures = Counter(label: "chunkflow_node_call_errors_total", dimensions: labels)
        }
    }

    let address: String
    let put, get, descriptor, delete, stat, list, information, claim, pull, reconstruct: Method

    /// - Parameter address: of the node, for the label: one of few.
    init(address: String) {
        self.address = address
        put = Method("put", address: address)
        get = Method("get", address: address)
        descriptor = Method("descriptor", address: address)
        delete = Method("delete", address: address)
        stat = Method("stat", address: address)
        list = Method("list", address: address)
        information = Method("information", address: address)
        claim = Method("claim", address: address)
        pull = Method("pull", address: address)
        reconstruct = Method("reconstruct", address: address)
    }
}
