package import ArgumentParser

/// `chunkflow cluster remove NODE`
package struct RemoveNodeCommand: ClientCommand {
    package static let configuration = CommandConfiguration(
        commandName: "remove", abstract: "Take a node out at once, dead or alive.",
        discussion: """
            What it held is restored from the other copies.
            With --json what the server says, as one JSON document.

            \(ExitStatus.explanation)
            """)

    @OptionGroup var node: NodeArgument
    @OptionGroup var force: ForceOption
    @OptionGroup var connection: ConnectionOptions

    package init() {}

    package func run() async throws { try await execute(console: .standard).exit() }

    package func execute(console: Console) async throws -> ExitStatus {
        try await connection.order(.remove, of: node, force: force, console)
    }
}
