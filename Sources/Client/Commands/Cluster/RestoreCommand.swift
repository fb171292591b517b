package import ArgumentParser

/// `chunkflow cluster restore NODE`
package struct RestoreCommand: ClientCommand {
    package static let configuration = CommandConfiguration(
        commandName: "restore", abstract: "Take a node back in that is being drained, or was removed and answers again.",
        discussion: """
            Copies move to it again.
            With --json what the server says, as one JSON document.

            \(ExitStatus.explanation)
            """)

    @OptionGroup var node: NodeArgument
    @OptionGroup var force: ForceOption
    @OptionGroup var connection: ConnectionOptions

    package init() {}

    package func run() async throws { try await execute(console: .standard).exit() }

    package func execute(console: Console) async throws -> ExitStatus {
        try await connection.order(.restore, of: node, force: force, console)
    }
}
