import ArgumentParser
import Core
import ServerAssembly
import Settings

@main
enum Main {
    static func main() async {
        ServerProcess.prepare()
        await DistributorCommand.main()
    }
}

struct DistributorCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "distributor", abstract: "Takes clients' requests and spreads their files over storage nodes.",
        version: chunkFlowVersion)

    @OptionGroup var flags: DistributorFlags

    func run() async throws {
        await ServerProcess.run { try await DistributorRole.run(try DistributorSettings.load(flags: flags)) }
    }
}
