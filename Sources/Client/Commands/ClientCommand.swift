package import ArgumentParser

/// A command that talks to a server.
package protocol ClientCommand: AsyncParsableCommand {
    /// - Throws: `CancellationError`; what a server answers is told on the console.
    func execute(console: Console) async throws -> ExitStatus
}
