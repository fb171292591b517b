package import ArgumentParser
internal import Core

/// `chunkflow cluster add HOST:PORT`
package struct AddNodeCommand: ClientCommand {
    package static let configuration = CommandConfiguration(
        commandName: "add", abstract: "Make the storage node that answers at an address a member.",
        discussion: """
            A node that was removed is taken back. With --json what the server says, as one JSON document.

            \(ExitStatus.explanation)
            """)

    @Argument(help: ArgumentHelp("The node's address, as the distributor reaches it.", valueName: "host:port"))
    var address: String

    @OptionGroup var connection: ConnectionOptions

    package init() {}

    package func validate() throws {
        guard HostPort(address).map({ $0.port > 0 }) == true else {
            throw ValidationError("\(address.debugDescription) is not accepted; accepted: host:port")
        }
    }

    package func run() async throws { try await execute(console: .standard).exit() }

    package func execute(console: Console) async throws -> ExitStatus {
        try await connection.connected(console) { server in
            let added = try await connection.ordering(console) { try await server.addNode(at: address) }
            if connection.json {
                console.print(added.text)
            } else {
                console.print("node \(added.description.node.printable) at \(address) is a member")
                console.print(followingHint)
            }
            return .success
        }
    }
}

/// The last line of what changes the cluster.
let followingHint = "follow it with: chunkflow cluster status"
