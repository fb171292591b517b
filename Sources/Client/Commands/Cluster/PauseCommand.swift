package import ArgumentParser

/// `chunkflow cluster pause`
package struct PauseCommand: ClientCommand {
    package static let configuration = CommandConfiguration(
        commandName: "pause", abstract: "Stop all movement in the background: rebalancing, repair, and the removal of lost nodes.",
        discussion: """
            It stays stopped across a restart of the distributor, until resume. With --json nothing is printed.

            \(ExitStatus.explanation)
            """)

    @OptionGroup var connection: ConnectionOptions

    package init() {}

    package func run() async throws { try await execute(console: .standard).exit() }

    package func execute(console: Console) async throws -> ExitStatus {
        try await connection.setBackgroundPaused(true, "background work is paused", console)
    }
}

/// `chunkflow cluster resume`
package struct ResumeCommand: ClientCommand {
    package static let configuration = CommandConfiguration(
        commandName: "resume", abstract: "Let movement in the background go on after pause.",
        discussion: """
            Whatever waited goes on. With --json nothing is printed.

            \(ExitStatus.explanation)
            """)

    @OptionGroup var connection: ConnectionOptions

    package init() {}

    package func run() async throws { try await execute(console: .standard).exit() }

    package func execute(console: Console) async throws -> ExitStatus {
        try await connection.setBackgroundPaused(false, "background work goes on", console)
    }
}

extension ConnectionOptions {
    fileprivate func setBackgroundPaused(_ isPaused: Bool, _ line: String, _ console: Console) async throws -> ExitStatus {
        try await connected(console) { server in
            try await ordering(console) { try await server.setBackgroundPaused(isPaused) }
            if !json { console.print(line) }
            return .success
        }
    }
}
