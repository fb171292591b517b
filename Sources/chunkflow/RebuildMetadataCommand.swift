import ArgumentParser
import Foundation
import ServerAssembly
import Settings

/// `chunkflow metadata rebuild --storage-nodes HOST:PORT,... --data-dir DIR`
struct RebuildMetadataCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "rebuild", abstract: "Make the metadata anew from the storage nodes. The server must not run.",
        discussion: """
            Takes the newest snapshot of the metadata that the nodes keep and adds what was uploaded after it. Nothing on the nodes is \
            changed. Metadata that are there already are refused; with --force they are renamed and kept. What is not clear is told in a \
            report beside the metadata.

            Exit codes: 0 done; 1 refused or failed; 64 wrong usage.
            """)

    @Option(
        help: ArgumentHelp(
            "Addresses of all storage nodes, separated by commas. Without it: the nodes in the data directory of a stopped \"chunkflow server\".",
            valueName: "host:port,..."))
    var storageNodes: String?

    @Option(help: ArgumentHelp("The data directory of the distributor, or of \"chunkflow server\".", valueName: "dir"))
    var dataDir: String

    @Option(help: ArgumentHelp("The cluster secret (environment: CHUNKFLOW_CLUSTER_SECRET).", valueName: "secret"))
    var clusterSecret: String?

    @Flag(help: "Rebuild although there are metadata. They are renamed.")
    var force = false

    @Flag(help: "Do without storage nodes of the cluster that are not named.")
    var partial = false

    @Flag(help: "Make visible where it was what may have been deleted.")
    var restoreDoubtful = false

    @Flag(help: "Use no snapshot, but descriptors only: what was deleted and is not gone yet comes back.")
    var ignoreSnapshots = false

    func run() async throws {
        var request = RebuildRequest(dataDirectory: dataDir)
        request.storageNodes = storageNodes
        request.clusterSecret = (clusterSecret ?? ProcessInfo.processInfo.environment["CHUNKFLOW_CLUSTER_SECRET"]).map(Secret.init)
        request.isReplacing = force
        request.isPartial = partial
        request.restoresDoubtful = restoreDoubtful
        request.usesSnapshots = !ignoreSnapshots
        await ServerProcess.run { [request] in
            for line in try await MetadataRebuilding.run(request) { print(line) }
        }
    }
}
