public import ArgumentParser
internal import Core
internal import Foundation

/// `chunkflow upload FILE...`
public struct UploadCommand: AsyncParsableCommand {
    public static let configuration = CommandConfiguration(
        commandName: "upload", abstract: "Store files.",
        discussion: """
            Prints the fileID, the size and the name of each file; with --json one JSON object a line. The server's checksum is compared \
            with that of what was read.

            \(ExitStatus.explanation)
            """)

    @Argument(help: ArgumentHelp("The files to store.", valueName: "file"), completion: .file())
    var files: [String]

    @Option(help: "The name to store the file under, instead of its own. For one file only.")
    var name: String?

    @Option(help: ArgumentHelp("The media type, instead of the one that the extension stands for.", valueName: "type"))
    var contentType: String?

    @OptionGroup var connection: ConnectionOptions

    public init() {}

    public func validate() throws {
        if name != nil, files.count > 1 { throw ValidationError("--name: only one file can have it; \(files.count) were given") }
    }

    public func run() async throws { try await execute(console: .standard).exit() }

    package func execute(console: Console) async throws -> ExitStatus {
        let executor = makeExecutor()
        return try await connection.connected(console) { server in
            let upload = FileUpload(connection: server, executor: executor) { console.note("chunkflow: \($0)") }
            return try await forEach(files, console: console, name: { $0 }, failed: { report($0, $1, console) }) { path in
                let name = self.name ?? URL(fileURLWithPath: path).lastPathComponent
                let stored = try await upload.run(
                    path: path, name: name, contentType: contentType ?? ContentTypes.guess(forFileName: name),
                    retries: connection.retryPolicy
                ) { byteCount in
                    TransferProgress(
                        name: name, totalByteCount: byteCount, console: console, isSilent: connection.json, time: SystemTime())
                }
                report(path, stored, console)
            }
        }
    }

    private func report(_ path: String, _ stored: FileDescription, _ console: Console) {
        if connection.json {
            console.print(json: .object([("path", .string(path))] + stored.json))
        } else {
            console.print("\(stored.fileID)  \(formatBytes(stored.size).leftPadded(to: 10))  \((stored.name ?? "").printable)")
        }
    }

    private func report(_ path: String, _ error: ClientError, _ console: Console) {
        guard connection.json else { return }
        console.print(json: [
            "path": .string(path), "error": .string(error.description), "exitCode": .integer(Int64(error.exitStatus.rawValue)),
        ])
    }
}
