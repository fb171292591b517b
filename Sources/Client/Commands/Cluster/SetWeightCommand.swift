package import ArgumentParser

/// `chunkflow cluster set-weight NODE WEIGHT`
package struct SetWeightCommand: ClientCommand {
    package static let configuration = CommandConfiguration(
        commandName: "set-weight", abstract: "Give a node a larger or smaller share of the data.",
        discussion: """
            A node of weight 2 gets twice as much as one of weight 1, where the number of copies allows it.
            With --json what the server says, as one JSON document.

            \(ExitStatus.explanation)
            """)

    @OptionGroup var node: NodeArgument
    @OptionGroup var weight: WeightArgument
    @OptionGroup var force: ForceOption
    @OptionGroup var connection: ConnectionOptions

    package init() {}

    package func run() async throws { try await execute(console: .standard).exit() }

    package func execute(console: Console) async throws -> ExitStatus {
        try await connection.order(.setWeight(weight.weight), of: node, force: force, console)
    }
}
