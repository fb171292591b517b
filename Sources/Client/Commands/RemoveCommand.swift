public import ArgumentParser

/// `chunkflow rm ID...`
public struct RemoveCommand: AsyncParsableCommand {
    public static let configuration = CommandConfiguration(
        commandName: "rm", abstract: "Remove files.",
        discussion: """
            Prints the fileID of each file that was removed; with --json one JSON object a line.

            \(ExitStatus.explanation)
            """)

    @Argument(help: ArgumentHelp("The files' IDs.", valueName: "id"))
    var fileIDs: [String]

    @OptionGroup var connection: ConnectionOptions

    public init() {}

    public func run() async throws { try await execute(console: .standard).exit() }

    package func execute(console: Console) async throws -> ExitStatus {
        try await connection.connected(console) { server in
            try await forEach(fileIDs, console: console, name: { $0 }, failed: { report($0, $1, console) }) { fileID in
                try await remove(fileID, server, console)
                if connection.json {
                    console.print(json: ["fileID": .string(fileID), "removed": true])
                } else {
                    console.print(fileID.printable)
                }
            }
        }
    }

    private func remove(_ fileID: String, _ server: ServerConnection, _ console: Console) async throws {
        var retries = connection.retryPolicy
        var mayBeGone = false
        while true {
            do {
                return try await server.delete(fileID)
            } catch ClientError.notFound where mayBeGone {
                // An earlier attempt did it; only its answer was lost.
                return
            } catch let error as ClientError {
                if case .connectionLost = error { mayBeGone = true }
                try await retries.wait(after: error) { console.note("chunkflow: \($0)") }
            }
        }
    }

    private func report(_ fileID: String, _ error: ClientError, _ console: Console) {
        guard connection.json else { return }
        console.print(
            json: [
                "fileID": .string(fileID), "removed": false, "error": .string(error.description),
                "exitCode": .integer(Int64(error.exitStatus.rawValue)),
            ])
    }
}
