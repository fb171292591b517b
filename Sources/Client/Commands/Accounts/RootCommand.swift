package import ArgumentParser
internal import Core
internal import Foundation

/// A command of the root account.
package protocol RootCommand: ClientCommand {
    func execute(console: Console, root: RootKey) async throws -> ExitStatus
}

extension RootCommand {
    package func run() async throws { try await execute(console: .standard).exit() }

    package func execute(console: Console) async throws -> ExitStatus {
        try await execute(console: console, root: try RootKey.read(ProcessInfo.processInfo.environment))
    }
}

extension RootKey {
    private static let accessKeyVariable = "CHUNKFLOW_ROOT_ACCESS_KEY"
    private static let secretKeyVariable = "CHUNKFLOW_ROOT_SECRET_KEY"

    /// What `--help` of every command says of it.
    static let explanation = """
        \(accessKeyVariable) and \(secretKeyVariable) must hold the root key of the server here, as they do where it was started.
        """

    /// The root key, by which a server knows who may make accounts. From the environment alone: other users can see flags.
    /// - Throws: `ValidationError`
    package static func read(_ environment: [String: String]) throws -> RootKey {
        guard let access = environment[accessKeyVariable], !access.isEmpty, let secret = environment[secretKeyVariable], !secret.isEmpty
        else {
            throw ValidationError("\(accessKeyVariable) and \(secretKeyVariable) must be set to the root key of the server")
        }
        return RootKey(accessKey: access, secretKey: secret)
    }
}

/// What every command of the root account takes.
struct RootOptions: ParsableArguments, Sendable {
    @Option(
        help: ArgumentHelp("The same as --server, as the server itself is given it: its --http or its --admin.", valueName: "host:port"))
    var http: String?

    @OptionGroup var connection: ConnectionOptions

    init() {}

    var json: Bool { connection.json }

    func validate() throws {
        guard let http else { return }
        guard connection.server == nil else { throw ValidationError("--http and --server are two ways of saying the same: give one") }
        guard let address = HostPort(http), address.port > 0, ServerAddress("http://\(address)") != nil else {
            throw ValidationError("--http: \(http.debugDescription) is not accepted; accepted: host:port")
        }
    }

    private var addressed: ConnectionOptions {
        var options = connection
        if let http { options.server = "http://\(http)" }
        return options
    }

    /// Sends a request that changes nothing.
    func asking<Answer>(
        _ console: Console, _ request: (ServerConnection) async throws -> Answer, _ said: (Answer) throws -> Void
    ) async throws -> ExitStatus {
        try await addressed.connected(console) { server in
            try said(try await connection.asking(console) { try await request(server) })
            return .success
        }
    }

    /// Sends a request that changes something.
    func ordering<Answer>(
        _ console: Console, _ request: (ServerConnection) async throws -> Answer, _ said: (Answer) throws -> Void
    ) async throws -> ExitStatus {
        try await addressed.connected(console) { server in
            try said(
                try await connection.ordering(console, shownBy: "chunkflow account ls and chunkflow key ls") { try await request(server) })
            return .success
        }
    }
}
