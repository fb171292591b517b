public import ArgumentParser
internal import Core
internal import Foundation

/// `chunkflow download ID -o FILE`
public struct DownloadCommand: AsyncParsableCommand {
    public static let configuration = CommandConfiguration(
        commandName: "download", abstract: "Get a file.",
        discussion: """
            Writes to FILE.part, checks its checksum, and gives it its name when all of it is on disk. A broken download is gone on \
            with, also by a later run of the same command.

            \(ExitStatus.explanation)
            """)

    @Argument(help: ArgumentHelp("The file's ID.", valueName: "id"))
    var fileID: String

    @Option(
        name: [.short, .long], help: ArgumentHelp("Where to write; - for the standard output.", valueName: "file"), completion: .file())
    var output: String

    @OptionGroup var connection: ConnectionOptions

    public init() {}

    public func validate() throws {
        if output.isEmpty { throw ValidationError("--output: an empty name is not accepted; accepted: the path of a file, or -") }
        if output == "-", connection.json {
            throw ValidationError("--json: not accepted with --output -, which takes the standard output for the file")
        }
    }

    public func run() async throws { try await execute(console: .standard).exit() }

    package func execute(console: Console) async throws -> ExitStatus {
        let executor = makeExecutor()
        return try await connection.connected(console) { server in
            do {
                let path = output
                let sink = try await executor.run { try Self.makeSink(path) }
                let download = FileDownload(connection: server, sink: sink, executor: executor) { console.note("chunkflow: \($0)") }
                let outcome = try await download.run(fileID: fileID, retries: connection.retryPolicy) { file in
                    TransferProgress(
                        name: file.name ?? fileID, totalByteCount: file.size, console: console, isSilent: connection.json,
                        time: SystemTime())
                }
                report(outcome, console)
                return .success
            } catch let error as ClientError where connection.json {
                console.print(
                    json: [
                        "fileID": .string(fileID), "error": .string(error.description),
                        "exitCode": .integer(Int64(error.exitStatus.rawValue)),
                    ])
                throw error
            }
        }
    }

    /// Regular files come into being beside their name; pipes and devices are written as they are.
    private static func makeSink(_ output: String) throws -> any DownloadSink {
        if output == "-" { return StreamSink.standardOutput() }
        // A link stays a link: what it points to is replaced.
        let path = URL(fileURLWithPath: output).resolvingSymlinksInPath().path
        var status = stat()
        guard stat(path, &status) == 0 else { return try PartFile(target: path) }
        switch status.st_mode & S_IFMT {
        case S_IFREG: return try PartFile(target: path)
        case S_IFDIR: throw ClientError.localFile(path: output, detail: "is a directory")
        default: return StreamSink(try FileDescriptor(opening: path, flags: O_WRONLY))
        }
    }

    private func report(_ outcome: FileDownload.Outcome, _ console: Console) {
        if connection.json {
            let pairs: [(key: String, value: JSONValue)] = [("path", .string(output)), ("resumedFrom", .integer(outcome.resumedFrom))]
            console.print(json: .object(outcome.file.json + pairs))
        } else if output != "-" {
            console.print("\(outcome.file.fileID)  \(formatBytes(outcome.file.size).leftPadded(to: 10))  \(output.printable)")
        }
    }
}
