import NIOHTTP1

/// What a server with three nodes says; two of them have ids that begin alike.
enum ScriptedCluster {
    static let rack1 = "0198aaaa-0000-7000-8000-000000000001"
    static let rack2 = "0198aaab-0000-7000-8000-000000000002"
    static let rack3 = "01a0aaaa-0000-7000-8000-000000000003"

    static let status = """
        {"clusterID":"c1","nodes":[\(node(rack1, "10.0.0.1:9001", "r1", "2")),\(node(rack2, "10.0.0.2:9001", "r2", "0.5")),\
        \(node(rack3, "10.0.0.3:9001", "r3", "1", state: "draining"))],\
        "layout":{"version":3,"partitionCount":1024,"replicas":2,"writeQuorum":2},"objects":{"count":5,"bytes":1048576},\
        "repairQueueLength":0,"rebalance":null,"backgroundPaused":false}
        """

    static let layout = """
        {"version":3,"partitionCount":1024,"replicas":2,"members":[{"node":"\(rack1)","weight":2,"zone":"r1","partitions":1024},\
        {"node":"\(rack2)","weight":0.5,"zone":"","partitions":256}]}
        """

    static let plan = """
        {"fromVersion":3,"toVersion":4,"movedPartitions":520,"leastPartitions":512,"movedBytes":3221225472,\
        "members":[{"node":"\(rack2)","weight":0.5,"zone":"r2","partitions":700}]}
        """

    /// Does whatever is asked.
    static func answer(_ request: ReceivedRequest) -> ScriptedAnswer {
        switch (request.method, request.uri) {
        case (.GET, "/cluster"): .json(status)
        case (.GET, "/cluster/layout"): .json(layout)
        case (.POST, "/cluster/nodes"): .json(#"{"node":"\#(rack3)"}"#, status: .created)
        case (.POST, "/cluster/pause"), (.POST, "/cluster/resume"): ScriptedAnswer(status: .noContent)
        default: .json(plan)
        }
    }

    static func node(_ id: String, _ address: String, _ zone: String, _ weight: String, state: String = "up") -> String {
        #"{"id":"\#(id)","address":"\#(address)","zone":"\#(zone)","weight":\#(weight),"state":"\#(state)","version":"0.1.0","#
            + #""capacityBytes":4096,"availableBytes":1024,"usedBytes":3072,"fragmentCount":7,"quarantinedCount":0,"lastSeenAt":null}"#
    }
}
