package import ArgumentParser

/// `chunkflow cluster add HOST:PORT`
package struct AddNodeCommand: ClientCommand {
    package static let configuration = CommandConfiguration(
        commandName: "add", abstract: "Make the storage node that answers at an address a member.",
        discussion: """
            A node that was removed is taken back. With --json what the server says, as one JSON document.

            \(ExitStatus.explanation)
            """)

    @OptionGroup var address: AddressArgument
    @OptionGroup var connection: ConnectionOptions

    package init() {}

    package func run() async throws { try await execute(console: .standard).exit() }

    package func execute(console: Console) async throws -> ExitStatus {
        try await connection.connected(console) { server in
            let added = try await connection.ordering(console) { try await server.addNode(at: address.text) }
            if connection.json {
                console.print(added.text)
            } else {
                console.print("node \(added.description.node.printable) at \(address.text) is a member")
                console.print(followingHint)
            }
            return .success
        }
    }
}

/// The last line of what changes the cluster.
let followingHint = "follow it with: chunkflow cluster status"
