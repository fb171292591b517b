public import ArgumentParser

/// `chunkflow ls`
public struct ListCommand: AsyncParsableCommand {
    private static let pageSize = 1_000

    public static let configuration = CommandConfiguration(
        commandName: "ls", abstract: "List all files, oldest first.",
        discussion: """
            Prints fileID, size, time of upload and name, a line for each file; with --json one JSON object a line.

            \(ExitStatus.explanation)
            """)

    @OptionGroup var connection: ConnectionOptions

    public init() {}

    public func run() async throws { try await execute(console: .standard).exit() }

    package func execute(console: Console) async throws -> ExitStatus {
        try await connection.connected(console) { server in
            var retries = connection.retryPolicy
            var cursor: String?
            repeat {
                do {
                    let page = try await server.files(after: cursor, limit: Self.pageSize)
                    for file in page.files { report(file, console) }
                    guard page.nextCursor != cursor || cursor == nil else {
                        throw ClientError.unexpectedAnswer(detail: "the list does not go on after \(cursor ?? "")")
                    }
                    cursor = page.nextCursor
                    retries.progressed()
                } catch let error as ClientError {
                    try await retries.wait(after: error) { console.note("chunkflow: \($0)") }
                    continue
                }
                if cursor == nil { return .success }
            } while true
        }
    }

    private func report(_ file: FileDescription, _ console: Console) {
        if connection.json {
            console.print(json: .object(file.json))
        } else {
            let size = formatBytes(file.size).leftPadded(to: 10)
            console.print("\(file.fileID)  \(size)  \((file.createdAt ?? "-").printable.padded(to: 24))  \((file.name ?? "").printable)")
        }
    }
}
