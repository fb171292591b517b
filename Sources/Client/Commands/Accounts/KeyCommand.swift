public import ArgumentParser

/// `chunkflow key SUBCOMMAND`
public struct KeyCommand: ParsableCommand {
    public static let configuration = CommandConfiguration(
        commandName: "key", abstract: "Make, list, disable, enable and delete the access keys of the S3 API.",
        discussion: "\(RootKey.explanation)\n\n\(ExitStatus.explanation)",
        subcommands: [
            CreateKeyCommand.self, ListKeysCommand.self, DisableKeyCommand.self, EnableKeyCommand.self, DeleteKeyCommand.self,
        ])

    public init() {}
}

/// `chunkflow key create`
package struct CreateKeyCommand: RootCommand {
    package static let configuration = CommandConfiguration(
        commandName: "create", abstract: "Give an account an access key, and show it: the secret is shown this once.",
        discussion: """
            \(RootKey.explanation) With --json what the server says, as one JSON document.

            \(ExitStatus.explanation)
            """)

    @Option(help: ArgumentHelp("The account's id.", valueName: "id"))
    var account: String

    @Option(help: ArgumentHelp("The access key; both are made up where neither is given.", valueName: "access-key"))
    var accessKey: String?

    @Option(help: ArgumentHelp("Its secret key. Other users of this machine can see it while the command runs.", valueName: "secret-key"))
    var secretKey: String?

    @OptionGroup var options: RootOptions

    package init() {}

    package func validate() throws {
        guard !account.isEmpty else { throw ValidationError("--account: an empty text names no account") }
        guard (accessKey == nil) == (secretKey == nil) else { throw ValidationError("--access-key and --secret-key come together") }
    }

    package func execute(console: Console, root: RootKey) async throws -> ExitStatus {
        try await options.ordering(console) {
            try await $0.createKey(NewKey(accessKey: accessKey, secretKey: secretKey), of: account, root)
        } _: { pair in
            guard !options.json else { return console.print(pair.text) }
            console.print("access key  \(pair.description.accessKey.printable)")
            console.print("secret key  \(pair.description.secretKey.printable)")
        }
    }
}

/// `chunkflow key list`
package struct ListKeysCommand: RootCommand {
    package static let configuration = CommandConfiguration(
        commandName: "list", abstract: "List the access keys of an account, without their secrets.",
        discussion: """
            \(RootKey.explanation) With --json what the server says, as one JSON document.

            \(ExitStatus.explanation)
            """, aliases: ["ls"])

    @Option(help: ArgumentHelp("The account's id.", valueName: "id"))
    var account: String

    @OptionGroup var options: RootOptions

    package init() {}

    package func validate() throws {
        guard !account.isEmpty else { throw ValidationError("--account: an empty text names no account") }
    }

    package func execute(console: Console, root: RootKey) async throws -> ExitStatus {
        try await options.asking(console) {
            try await $0.keys(of: account, root)
        } _: { found in
            guard !options.json else { return console.print(found.text) }
            let rows = found.description.keys.map { [$0.accessKey.printable, $0.enabled ? "enabled" : "disabled", cell($0.createdAt)] }
            for line in textTable([["ACCESS KEY", "STATE", "MADE"]] + rows) { console.print(line) }
        }
    }
}
