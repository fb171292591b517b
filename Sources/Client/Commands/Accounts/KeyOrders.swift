package import ArgumentParser

/// What the commands take that change one access key.
struct KeyArgument: ParsableArguments, Sendable {
    @Argument(help: ArgumentHelp("The access key.", valueName: "access-key"))
    var accessKey: String

    @OptionGroup var options: RootOptions

    init() {}

    func validate() throws {
        guard !accessKey.isEmpty else { throw ValidationError("ACCESS-KEY: an empty text names no access key") }
    }

    /// - Parameter said: what has become of the key.
    func ordering(_ console: Console, said: String, _ order: (ServerConnection, String) async throws -> Void) async throws -> ExitStatus {
        try await options.ordering(console) {
            try await order($0, accessKey)
        } _: {
            if !options.json { console.print("key \(accessKey.printable) \(said)") }
        }
    }

    static let discussion = """
        \(RootKey.explanation) With --json nothing is printed.

        \(ExitStatus.explanation)
        """
}

/// `chunkflow key disable`
package struct DisableKeyCommand: RootCommand {
    package static let configuration = CommandConfiguration(
        commandName: "disable", abstract: "Refuse what is signed with an access key, until it is enabled again.",
        discussion: KeyArgument.discussion)

    @OptionGroup var key: KeyArgument

    package init() {}

    package func execute(console: Console, root: RootKey) async throws -> ExitStatus {
        try await key.ordering(console, said: "is disabled") { try await $0.setKey($1, enabled: false, root) }
    }
}

/// `chunkflow key enable`
package struct EnableKeyCommand: RootCommand {
    package static let configuration = CommandConfiguration(
        commandName: "enable", abstract: "Accept an access key again that was disabled.", discussion: KeyArgument.discussion)

    @OptionGroup var key: KeyArgument

    package init() {}

    package func execute(console: Console, root: RootKey) async throws -> ExitStatus {
        try await key.ordering(console, said: "is enabled") { try await $0.setKey($1, enabled: true, root) }
    }
}

/// `chunkflow key delete`
package struct DeleteKeyCommand: RootCommand {
    package static let configuration = CommandConfiguration(
        commandName: "delete", abstract: "Delete an access key. What it has stored stays the account's.", discussion: KeyArgument.discussion
    )

    @OptionGroup var key: KeyArgument

    package init() {}

    package func execute(console: Console, root: RootKey) async throws -> ExitStatus {
        try await key.ordering(console, said: "is deleted") { try await $0.deleteKey($1, root) }
    }
}
