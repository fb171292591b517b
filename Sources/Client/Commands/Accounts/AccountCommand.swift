public import ArgumentParser

/// `chunkflow account SUBCOMMAND`
public struct AccountCommand: ParsableCommand {
    public static let configuration = CommandConfiguration(
        commandName: "account", abstract: "Make and list the accounts of the S3 API.",
        discussion: "\(RootKey.explanation)\n\n\(ExitStatus.explanation)",
        subcommands: [CreateAccountCommand.self, ListAccountsCommand.self])

    public init() {}
}

/// `chunkflow account create`
package struct CreateAccountCommand: RootCommand {
    package static let configuration = CommandConfiguration(
        commandName: "create", abstract: "Make an account, which can own buckets and have access keys.",
        discussion: """
            \(RootKey.explanation) With --json what the server says, as one JSON document.

            \(ExitStatus.explanation)
            """)

    @Option(help: ArgumentHelp("Its canonical id: printable characters without blanks and slashes.", valueName: "id"))
    var id: String

    @Option(help: ArgumentHelp("The name that listings show.", valueName: "name"))
    var displayName: String

    @Option(help: ArgumentHelp("Its e-mail address, by which grants can name it.", valueName: "mail"))
    var email: String?

    @Option(help: ArgumentHelp("The tenant that it belongs to.", valueName: "tenant"))
    var tenant: String?

    @OptionGroup var options: RootOptions

    package init() {}

    package func execute(console: Console, root: RootKey) async throws -> ExitStatus {
        let order = NewAccount(id: id, displayName: displayName, email: email, tenant: tenant)
        return try await options.ordering(console) {
            try await $0.createAccount(order, root)
        } _: { created in
            console.print(options.json ? created.text : "account \(created.description.id.printable) was made")
        }
    }
}

/// `chunkflow account ls`
package struct ListAccountsCommand: RootCommand {
    package static let configuration = CommandConfiguration(
        commandName: "ls", abstract: "List the accounts.",
        discussion: """
            \(RootKey.explanation) With --json what the server says, as one JSON document.

            \(ExitStatus.explanation)
            """, aliases: ["list"])

    @OptionGroup var options: RootOptions

    package init() {}

    package func execute(console: Console, root: RootKey) async throws -> ExitStatus {
        try await options.asking(console) {
            try await $0.accounts(root)
        } _: { found in
            guard !options.json else { return console.print(found.text) }
            let rows = found.description.accounts.map { [$0.id.printable, cell($0.displayName), cell($0.email), cell($0.tenant)] }
            for line in textTable([["ID", "NAME", "E-MAIL", "TENANT"]] + rows) { console.print(line) }
        }
    }
}
