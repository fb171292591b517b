public import ArgumentParser

/// `chunkflow key SUBCOMMAND`
public struct KeyCommand: ParsableCommand {
    public static let configuration = CommandConfiguration(
        commandName: "key", abstract: "Make, list, disable and delete the access keys of the S3 API.",
        discussion: "\(RootKeyEnvironment.explanation)\n\n\(ExitStatus.explanation)",
        subcommands: [
            CreateKeyCommand.self, ListKeysCommand.self, DisableKeyCommand.self, EnableKeyCommand.self, DeleteKeyCommand.self,
        ])

    public init() {}
}

package struct CreateKeyCommand: ClientCommand {
    package static let configuration = CommandConfiguration(
        commandName: "create", abstract: "Give an account an access key, and show it: the secret is shown this once.",
        discussion: "\(RootKeyEnvironment.explanation)\n\n\(ExitStatus.explanation)")

    @Option(help: ArgumentHelp("The account's id.", valueName: "id"))
    var account: String

    @Option(help: ArgumentHelp("The access key; made up where neither is given.", valueName: "key"))
    var accessKey: String?

    @Option(help: ArgumentHelp("Its secret key. Other users of this machine can see it while the command runs.", valueName: "secret"))
    var secretKey: String?

    @OptionGroup var connection: ConnectionOptions

    package init() {}

    package func validate() throws {
        guard (accessKey == nil) == (secretKey == nil) else { throw ValidationError("--access-key and --secret-key come together") }
    }

    package func run() async throws { try await execute(console: .standard).exit() }

    package func execute(console: Console) async throws -> ExitStatus {
        let root = try RootKeyEnvironment.read()
        return try await connection.connected(console) { server in
            let pair = try await server.createKey(NewKey(accessKey: accessKey, secretKey: secretKey), of: account, root)
            if connection.json {
                console.print(pair.text)
            } else {
                console.print("access key  \(pair.description.accessKey.printable)")
                console.print("secret key  \(pair.description.secretKey.printable)")
            }
            return .success
        }
    }
}

package struct ListKeysCommand: ClientCommand {
    package static let configuration = CommandConfiguration(
        commandName: "list", abstract: "List the access keys of an account.",
        discussion: "\(RootKeyEnvironment.explanation)\n\n\(ExitStatus.explanation)")

    @Option(help: ArgumentHelp("The account's id.", valueName: "id"))
    var account: String

    @OptionGroup var connection: ConnectionOptions

    package init() {}

    package func run() async throws { try await execute(console: .standard).exit() }

    package func execute(console: Console) async throws -> ExitStatus {
        let root = try RootKeyEnvironment.read()
        return try await connection.connected(console) { server in
            let keys = try await server.keys(of: account, root)
            if connection.json {
                console.print(keys.text)
            } else {
                let rows = keys.description.keys.map { [$0.accessKey.printable, $0.enabled ? "enabled" : "disabled", cell($0.createdAt)] }
                for line in textTable([["ACCESS KEY", "STATE", "MADE"]] + rows) { console.print(line) }
            }
            return .success
        }
    }
}

/// The commands that are told one access key.
struct KeyArgument: ParsableArguments, Sendable {
    @Argument(help: ArgumentHelp("The access key.", valueName: "access-key"))
    var accessKey: String

    @OptionGroup var connection: ConnectionOptions

    init() {}

    func ordering(
        _ console: Console, said: String, _ order: (ServerConnection, RootKey) async throws -> Void
    ) async throws -> ExitStatus {
        let root = try RootKeyEnvironment.read()
        return try await connection.connected(console) { server in
            try await order(server, root)
            if !connection.json { console.print("key \(accessKey.printable) \(said)") }
            return .success
        }
    }
}

package struct DisableKeyCommand: ClientCommand {
    package static let configuration = CommandConfiguration(
        commandName: "disable", abstract: "Refuse what is signed with an access key, until it is enabled again.",
        discussion: "\(RootKeyEnvironment.explanation)\n\n\(ExitStatus.explanation)")

    @OptionGroup var key: KeyArgument

    package init() {}

    package func run() async throws { try await execute(console: .standard).exit() }

    package func execute(console: Console) async throws -> ExitStatus {
        try await key.ordering(console, said: "is disabled") { try await $0.setKey(key.accessKey, enabled: false, $1) }
    }
}

package struct EnableKeyCommand: ClientCommand {
    package static let configuration = CommandConfiguration(
        commandName: "enable", abstract: "Accept an access key again that was disabled.",
        discussion: "\(RootKeyEnvironment.explanation)\n\n\(ExitStatus.explanation)")

    @OptionGroup var key: KeyArgument

    package init() {}

    package func run() async throws { try await execute(console: .standard).exit() }

    package func execute(console: Console) async throws -> ExitStatus {
        try await key.ordering(console, said: "is enabled") { try await $0.setKey(key.accessKey, enabled: true, $1) }
    }
}

package struct DeleteKeyCommand: ClientCommand {
    package static let configuration = CommandConfiguration(
        commandName: "delete", abstract: "Delete an access key.",
        discussion: "\(RootKeyEnvironment.explanation)\n\n\(ExitStatus.explanation)")

    @OptionGroup var key: KeyArgument

    package init() {}

    package func run() async throws { try await execute(console: .standard).exit() }

    package func execute(console: Console) async throws -> ExitStatus {
        try await key.ordering(console, said: "is deleted") { try await $0.deleteKey(key.accessKey, $1) }
    }
}
