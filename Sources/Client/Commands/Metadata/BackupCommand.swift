package import ArgumentParser
internal import Core
internal import Foundation
internal import NIOCore

/// `chunkflow metadata backup FILE`
package struct BackupCommand: ClientCommand {
    /// Seconds that the server may take to make a backup before it sends the first byte.
    private static let patience: Int64 = 3_600

    package static let configuration = CommandConfiguration(
        commandName: "backup", abstract: "Get a backup of the metadata, without which no file can be found.",
        discussion: """
            The server goes on meanwhile. Writes to FILE.part, checks length and SHA-256, and gives it its name when all of it is on \
            disk. Prints the file, its size and its SHA-256.

            \(ExitStatus.explanation)
            """)

    @Argument(help: ArgumentHelp("Where to write.", valueName: "file"), completion: .file())
    var output: String

    @Flag(help: "Replace the file if it is there.")
    var force = false

    @OptionGroup var connection: ConnectionOptions

    package init() {}

    package func validate() throws {
        if output.isEmpty { throw ValidationError("<file>: an empty name is not accepted; accepted: the path of a file") }
    }

    package func run() async throws { try await execute(console: .standard).exit() }

    package func execute(console: Console) async throws -> ExitStatus {
        let executor = makeExecutor()
        let (path, force) = (output, force)
        return try await connection.connected(console, patience: .seconds(Self.patience)) { server in
            do {
                let part = try await executor.run {
                    try Self.check(path, mayReplace: force)
                    return try PartFile(target: path)
                }
                let download = BackupDownload(connection: server, part: part, executor: executor) { console.note("chunkflow: \($0)") }
                let digest = try await download.run(retries: connection.retryPolicy) { byteCount in
                    TransferProgress(
                        name: path, totalByteCount: byteCount, console: console, isSilent: connection.json, time: SystemTime())
                }
                report(digest, console)
                return .success
            } catch let error as ClientError where connection.json {
                console.print(json: ["error": .string(error.description), "exitCode": .integer(Int64(error.exitStatus.rawValue))])
                throw error
            }
        }
    }

    /// - Throws: ``ClientError/localFile(path:detail:)`` when something is there that is not to be replaced.
    private static func check(_ path: String, mayReplace: Bool) throws {
        var status = stat()
        guard lstat(path, &status) == 0 else { return }
        guard status.st_mode & S_IFMT == S_IFREG else { throw ClientError.localFile(path: path, detail: "is not a file") }
        guard mayReplace else { throw ClientError.localFile(path: path, detail: "exists already; --force replaces it") }
    }

    private func report(_ digest: SHA256Digest, _ console: Console) {
        if connection.json {
            console.print(
                json: ["path": .string(output), "size": .integer(digest.byteCount), "sha256": .string(digest.hexadecimalText)])
        } else {
            console.print("\(output.printable)  \(formatBytes(digest.byteCount))  sha256:\(digest.hexadecimalText)")
        }
    }
}
