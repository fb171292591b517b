internal import ArgumentParser
internal import Core

/// The node that a command is about.
struct NodeArgument: ParsableArguments {
    @Argument(
        help: ArgumentHelp(
            "The node: its id, the first characters of it (\(NodeName.shortestPrefix) or more) that no other has, or its address as status shows it.",
            valueName: "node"))
    var text: String

    init() {}

    func validate() throws {
        guard !text.isEmpty else { throw ValidationError("NODE: an empty text names no node") }
    }

    /// Asks the server which node is meant.
    /// - Returns: the node's id.
    /// - Throws: ``ClientError``, among them ``ClientError/wrongNode(detail:)``.
    func resolved(_ server: ServerConnection, _ connection: ConnectionOptions, _ console: Console) async throws -> String {
        let cluster = try await connection.asking(console) { try await server.cluster() }
        return try NodeName(text).id(among: cluster.description.nodes)
    }
}

/// Where a node is that may not be a member yet.
struct AddressArgument: ParsableArguments {
    @Argument(help: ArgumentHelp("The node's address, as the distributor reaches it.", valueName: "host:port"))
    var text: String

    init() {}

    func validate() throws {
        guard HostPort(text).map({ $0.port > 0 }) == true else {
            throw ValidationError("\(text.debugDescription) is not accepted; accepted: host:port")
        }
    }
}

struct WeightArgument: ParsableArguments {
    @Argument(help: ArgumentHelp("The node's share relative to the other nodes': more than 0.", valueName: "weight"))
    var weight: Double

    init() {}

    func validate() throws {
        guard weight.isFinite, weight > 0 else { throw ValidationError("WEIGHT: \(weight) is not accepted; accepted: a number above 0") }
    }
}

struct ForceOption: ParsableArguments {
    @Flag(help: "Do it even where data would be lost or the other nodes have too little room.")
    var force = false

    init() {}
}
