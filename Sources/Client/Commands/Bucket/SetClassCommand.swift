package import ArgumentParser

/// `chunkflow bucket set-class NAME CLASS`
package struct SetClassCommand: ClientCommand {
    package static let configuration = CommandConfiguration(
        commandName: "set-class", abstract: "Set how the objects of a bucket are stored that ask for nothing.",
        discussion: """
            What is there already stays as it is, unless --reencode is given: then it is stored anew in the background.
            With --json what the server says, as one JSON document.

            \(ExitStatus.explanation)
            """)

    @Argument(help: ArgumentHelp("The bucket; \"files\" has what upload stores.", valueName: "name"))
    var name: String

    @Argument(
        help: ArgumentHelp(
            "replicated, replicated-N or ec-K-M, for example replicated-3 or ec-4-2; \"default\" for the cluster's default.",
            valueName: "class"))
    var storageClass: String

    @Flag(help: "Store the objects that are there anew.")
    var reencode = false

    @OptionGroup var connection: ConnectionOptions

    package init() {}

    package func validate() throws {
        guard !name.isEmpty else { throw ValidationError("NAME: an empty text names no bucket") }
        guard !storageClass.isEmpty else { throw ValidationError("CLASS: an empty text names no storage class") }
    }

    package func run() async throws { try await execute(console: .standard).exit() }

    package func execute(console: Console) async throws -> ExitStatus {
        try await connection.connected(console) { server in
            let made = try await connection.ordering(console) {
                try await server.setStorageClass(storageClass, ofBucket: name, reencode: reencode)
            }
            if connection.json {
                console.print(made.text)
            } else {
                console.print("new objects of \(name.printable) are stored as \(storageClass.printable)")
                console.print(reencode ? "those that are there are stored anew: chunkflow status" : "those that are there stay as they are")
            }
            return .success
        }
    }
}
