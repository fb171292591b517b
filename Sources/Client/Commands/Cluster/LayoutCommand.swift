package import ArgumentParser

/// `chunkflow cluster layout SUBCOMMAND`
package struct LayoutCommand: ParsableCommand {
    package static let configuration = CommandConfiguration(
        commandName: "layout", abstract: "Show who holds how much, and what a change would move.", discussion: ExitStatus.explanation,
        subcommands: [ShowLayoutCommand.self, PlanCommand.self])

    package init() {}
}

/// `chunkflow cluster layout show`
package struct ShowLayoutCommand: ClientCommand {
    package static let configuration = CommandConfiguration(
        commandName: "show", abstract: "Show the layout: its members and how many copies of partitions each one gets.",
        discussion: """
            With --json what the server says, as one JSON document.

            \(ExitStatus.explanation)
            """)

    @OptionGroup var connection: ConnectionOptions

    package init() {}

    package func run() async throws { try await execute(console: .standard).exit() }

    package func execute(console: Console) async throws -> ExitStatus {
        try await connection.connected(console) { server in
            let layout = try await connection.asking(console) { try await server.layout() }
            if connection.json {
                console.print(layout.text)
            } else {
                for line in layout.description.lines { console.print(line) }
            }
            return .success
        }
    }
}

extension LayoutDescription {
    fileprivate var lines: [String] { ["layout     \(version), \(replicas) copies, \(partitionCount) partitions", ""] + members.table }
}
