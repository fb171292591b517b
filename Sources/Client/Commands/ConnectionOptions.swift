internal import ArgumentParser
internal import Core
internal import Foundation
internal import NIOCore

/// What every command that talks to a server takes.
struct ConnectionOptions: ParsableArguments, Sendable {
    @Option(
        help: ArgumentHelp(
            "The server's REST address. (default: \(ServerAddress.standard); environment: \(ServerAddress.environmentVariable))",
            valueName: "url"))
    var server: String?

    @Option(
        help: ArgumentHelp(
            "The admin token of the server, where it has one. Prefer the environment: other users can see flags. "
                + "(environment: \(Self.tokenVariable))",
            valueName: "token"))
    var token: String?

    @Option(help: ArgumentHelp("How often in a row to try again after a broken connection or an unavailable server.", valueName: "count"))
    var retries = 5

    @Flag(help: "Print JSON for scripts.")
    var json = false

    static let tokenVariable = "CHUNKFLOW_TOKEN"

    init() {}

    func validate() throws {
        guard (0...1_000).contains(retries) else { throw ValidationError("--retries: \(retries) is not accepted; accepted: 0 to 1000") }
        _ = try address()
        _ = try shownToken()
    }

    /// - Returns: nil when there is none to show.
    /// - Throws: `ValidationError`, without the token.
    func shownToken(environment: [String: String] = ProcessInfo.processInfo.environment) throws -> String? {
        let variable = environment[Self.tokenVariable].flatMap { $0.isEmpty ? nil : $0 }
        guard let shown = token ?? variable else { return nil }
        guard !shown.isEmpty, shown.utf8.allSatisfy({ (0x21...0x7E).contains($0) }) else {
            let origin = token == nil ? Self.tokenVariable : "--token"
            throw ValidationError("\(origin): *** is not accepted; accepted: visible ASCII characters")
        }
        return shown
    }

    /// - Throws: `ValidationError`, which names where a wrong address came from.
    func address(environment: [String: String] = ProcessInfo.processInfo.environment) throws -> ServerAddress {
        let variable = environment[ServerAddress.environmentVariable].flatMap { $0.isEmpty ? nil : $0 }
        let text = server ?? variable ?? ServerAddress.standard
        guard let address = ServerAddress(text) else {
            let origin = server == nil ? ServerAddress.environmentVariable : "--server"
            throw ValidationError("\(origin): \(text.debugDescription) is not accepted; accepted: a URL like \(ServerAddress.standard)")
        }
        return address
    }

    var retryPolicy: RetryPolicy { RetryPolicy(limit: retries) }

    /// Runs `work` with a connection.
    /// - Parameters:
    ///   - patience: how long the server may send nothing.
    ///   - reused: how many connections are kept for further requests; nil for a new one each time.
    /// - Returns: what `work` returns; the status of what it throws, after saying it.
    func connected(
        _ console: Console, patience: TimeAmount = .seconds(120), reusing reused: Int? = nil,
        _ work: (ServerConnection) async throws -> ExitStatus
    ) async throws -> ExitStatus {
        do {
            return try await ServerConnection.with(try address(), token: try shownToken(), patience: patience, reusing: reused, work)
        } catch let error as ClientError {
            console.note("chunkflow: \(error)")
            return error.exitStatus
        }
    }
}

/// Runs an operation for each of several things; one that fails does not keep the next from being tried, unless the server is away.
func forEach<Item>(
    _ items: [Item], console: Console, name: (Item) -> String, failed: (Item, ClientError) -> Void, _ work: (Item) async throws -> Void
) async throws -> ExitStatus {
    var outcomes: [ExitStatus] = []
    for item in items {
        do {
            try await work(item)
            outcomes.append(.success)
        } catch let error as ClientError {
            console.note("chunkflow: \(name(item).printable): \(error)")
            failed(item, error)
            outcomes.append(error.exitStatus)
            if case .unreachable = error, outcomes.count < items.count {
                console.note("chunkflow: \(items.count - outcomes.count) more were not tried")
                break
            }
        }
    }
    return .combining(outcomes)
}

/// Threads for files and checksums: one reads or writes, the other checks.
func makeExecutor() -> some BlockingExecutor { ThreadPoolExecutor(threadCount: 2) }
