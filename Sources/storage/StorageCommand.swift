import ArgumentParser
import Core
import ServerAssembly
import Settings

@main
enum Main {
    static func main() async {
        ServerProcess.prepare()
        await StorageCommand.main()
    }
}

struct StorageCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "storage", abstract: "One storage node: keeps fragments of files durably and serves them to distributors.",
        version: chunkFlowVersion)

    @OptionGroup var flags: StorageFlags

    func run() async throws {
        await ServerProcess.run { try await StorageRole.run(try StorageSettings.load(flags: flags)) }
    }
}
