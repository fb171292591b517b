package import ArgumentParser

/// `chunkflow cluster drain NODE`
package struct DrainCommand: ClientCommand {
    package static let configuration = CommandConfiguration(
        commandName: "drain", abstract: "Move everything off a node that works, so that it can be switched off.",
        discussion: """
            The node has left when it is empty; status shows the state then.
            With --json what the server says, as one JSON document.

            \(ExitStatus.explanation)
            """)

    @OptionGroup var node: NodeArgument
    @OptionGroup var force: ForceOption
    @OptionGroup var connection: ConnectionOptions

    package init() {}

    package func run() async throws { try await execute(console: .standard).exit() }

    package func execute(console: Console) async throws -> ExitStatus {
        try await connection.order(.drain, of: node, force: force, console)
    }
}
