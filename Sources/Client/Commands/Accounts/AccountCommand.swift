public import ArgumentParser

/// `chunkflow account SUBCOMMAND`
public struct AccountCommand: ParsableCommand {
    public static let configuration = CommandConfiguration(
        commandName: "account", abstract: "Make and list the accounts of the S3 API.",
        discussion: "\(RootKeyEnvironment.explanation)\n\n\(ExitStatus.explanation)",
        subcommands: [CreateAccountCommand.self, ListAccountsCommand.self])

    public init() {}
}

package struct CreateAccountCommand: ClientCommand {
    package static let configuration = CommandConfiguration(
        commandName: "create", abstract: "Make an account, which can own buckets and have access keys.",
        discussion: "\(RootKeyEnvironment.explanation)\n\n\(ExitStatus.explanation)")

    @Option(help: ArgumentHelp("Its canonical id: any printable characters without blanks.", valueName: "id"))
    var id: String

    @Option(help: ArgumentHelp("The name that listings show.", valueName: "name"))
    var displayName: String

    @Option(help: ArgumentHelp("Its e-mail address, by which grants can name it.", valueName: "address"))
    var email: String?

    @Option(help: ArgumentHelp("The tenant that it belongs to.", valueName: "name"))
    var tenant: String?

    @OptionGroup var connection: ConnectionOptions

    package init() {}

    package func run() async throws { try await execute(console: .standard).exit() }

    package func execute(console: Console) async throws -> ExitStatus {
        let root = try RootKeyEnvironment.read()
        return try await connection.connected(console) { server in
            let order = NewAccount(id: id, displayName: displayName, email: email, tenant: tenant)
            let created = try await server.createAccount(order, root)
            console.print(connection.json ? created.text : "account \(created.description.id.printable) was made")
            return .success
        }
    }
}

package struct ListAccountsCommand: ClientCommand {
    package static let configuration = CommandConfiguration(
        commandName: "list", abstract: "List the accounts.", discussion: "\(RootKeyEnvironment.explanation)\n\n\(ExitStatus.explanation)")

    @OptionGroup var connection: ConnectionOptions

    package init() {}

    package func run() async throws { try await execute(console: .standard).exit() }

    package func execute(console: Console) async throws -> ExitStatus {
        let root = try RootKeyEnvironment.read()
        return try await connection.connected(console) { server in
            let accounts = try await server.accounts(root)
            if connection.json {
                console.print(accounts.text)
            } else {
                let rows = accounts.description.accounts.map { [$0.id.printable, cell($0.displayName), cell($0.email), cell($0.tenant)] }
                for line in textTable([["ID", "NAME", "E-MAIL", "TENANT"]] + rows) { console.print(line) }
            }
            return .success
        }
    }
}
