package import ArgumentParser

/// `chunkflow cluster layout plan CHANGE NODE`, `chunkflow cluster layout plan add HOST:PORT`
package struct PlanCommand: ParsableCommand {
    package static let configuration = CommandConfiguration(
        commandName: "plan", abstract: "Show what a change would move, without making it.", discussion: ExitStatus.explanation,
        subcommands: [
            PlanAddCommand.self, PlanDrainCommand.self, PlanRemoveCommand.self, PlanRestoreCommand.self, PlanSetWeightCommand.self,
        ])

    package init() {}
}

package struct PlanAddCommand: ClientCommand {
    package static let configuration = CommandConfiguration(
        commandName: "add", abstract: "Show what \"cluster add\" would move.", discussion: PlanCommand.discussion)

    @OptionGroup var address: AddressArgument
    @OptionGroup var connection: ConnectionOptions

    package init() {}

    package func run() async throws { try await execute(console: .standard).exit() }

    package func execute(console: Console) async throws -> ExitStatus {
        try await connection.connected(console) { try await connection.show($0, LayoutPlanQuestion(add: address.text), console) }
    }
}

package struct PlanDrainCommand: ClientCommand {
    package static let configuration = CommandConfiguration(
        commandName: "drain", abstract: "Show what \"cluster drain\" would move.", discussion: PlanCommand.discussion)

    @OptionGroup var node: NodeArgument
    @OptionGroup var connection: ConnectionOptions

    package init() {}

    package func run() async throws { try await execute(console: .standard).exit() }

    package func execute(console: Console) async throws -> ExitStatus { try await connection.plan(.drain, of: node, console) }
}

package struct PlanRemoveCommand: ClientCommand {
    package static let configuration = CommandConfiguration(
        commandName: "remove", abstract: "Show what \"cluster remove\" would move.", discussion: PlanCommand.discussion)

    @OptionGroup var node: NodeArgument
    @OptionGroup var connection: ConnectionOptions

    package init() {}

    package func run() async throws { try await execute(console: .standard).exit() }

    package func execute(console: Console) async throws -> ExitStatus { try await connection.plan(.remove, of: node, console) }
}

package struct PlanRestoreCommand: ClientCommand {
    package static let configuration = CommandConfiguration(
        commandName: "restore", abstract: "Show what \"cluster restore\" would move.", discussion: PlanCommand.discussion)

    @OptionGroup var node: NodeArgument
    @OptionGroup var connection: ConnectionOptions

    package init() {}

    package func run() async throws { try await execute(console: .standard).exit() }

    package func execute(console: Console) async throws -> ExitStatus { try await connection.plan(.restore, of: node, console) }
}

package struct PlanSetWeightCommand: ClientCommand {
    package static let configuration = CommandConfiguration(
        commandName: "set-weight", abstract: "Show what \"cluster set-weight\" would move.", discussion: PlanCommand.discussion)

    @OptionGroup var node: NodeArgument
    @OptionGroup var weight: WeightArgument
    @OptionGroup var connection: ConnectionOptions

    package init() {}

    package func run() async throws { try await execute(console: .standard).exit() }

    package func execute(console: Console) async throws -> ExitStatus {
        try await connection.plan(.setWeight(weight.weight), of: node, console)
    }
}

extension PlanCommand {
    fileprivate static let discussion = """
        Says also whether the change would be refused as unsafe.
        With --json what the server says, as one JSON document.

        \(ExitStatus.explanation)
        """
}
