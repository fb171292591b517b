import ArgumentParser
import Client
import ServerAssembly

/// `chunkflow metadata SUBCOMMAND`
struct MetadataCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "metadata", abstract: "Back up the metadata, restore them, and rebuild them from the storage nodes.",
        subcommands: ClientCommands.metadata + [RestoreMetadataCommand.self, RebuildMetadataCommand.self])
}

/// `chunkflow metadata restore FILE --data-dir DIR`
struct RestoreMetadataCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "restore", abstract: "Put a backup of the metadata in a data directory. The server must not run.",
        discussion: """
            Checks FILE first: a damaged one changes nothing. Metadata that are there already are refused; with --force they are renamed \
            and kept. Files uploaded after the backup are not known any more.

            Exit codes: 0 done; 1 refused or failed; 64 wrong usage.
            """)

    @Argument(help: ArgumentHelp("What \"metadata backup\" wrote.", valueName: "file"), completion: .file())
    var file: String

    @Option(
        help: ArgumentHelp("The data directory of the distributor, or of \"chunkflow server\".", valueName: "dir"), completion: .directory)
    var dataDir: String

    @Flag(help: "Restore although there are metadata. They are renamed.")
    var force = false

    func run() async throws {
        await ServerProcess.run {
            for line in try MetadataFiles.restore(file, toDataDirectory: dataDir, replacing: force) { print(line) }
        }
    }
}
