import ArgumentParser
import Client
import Core
import ServerAssembly
import Settings

@main
enum Main {
    static func main() async {
        ServerProcess.prepare()
        await ChunkFlowCommand.main()
    }
}

struct ChunkFlowCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "chunkflow", abstract: "Stores files so that they stay: a server in one command, and its client.",
        version: chunkFlowVersion,
        subcommands: [ServerCommand.self] + ClientCommands.all + [MetadataCommand.self, DoctorCommand.self])
}

struct ServerCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "server", abstract: "Runs a distributor and its storage nodes in one process.")

    @OptionGroup var flags: ServerFlags

    func run() async throws {
        await ServerProcess.run { try await EmbeddedRole.run(try ServerSettings.load(flags: flags)) }
    }
}
