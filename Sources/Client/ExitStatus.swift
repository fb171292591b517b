internal import ArgumentParser

/// What the client's exit code says. Scripts rely on these numbers: they do not change.
package enum ExitStatus: Int32, Sendable, CaseIterable {
    case success = 0
    /// Something failed for a reason that has no code of its own, or only a part of what was asked for was done.
    case failure = 1
    /// There is no such file, or no such node, on the server.
    case notFound = 2
    /// The server cannot be reached, or says that it cannot serve at the moment. Trying again later can help.
    case unavailable = 3
    /// What was typed cannot be meant. What ArgumentParser ends with, too.
    case wrongUsage = 64

    /// The status of several outcomes: success if all are, the common one if all are alike, otherwise ``failure``.
    package static func combining(_ outcomes: [ExitStatus]) -> ExitStatus {
        guard let first = outcomes.first else { return .success }
        return outcomes.allSatisfy { $0 == first } ? first : .failure
    }

    /// What `--help` of every command says of them.
    static let explanation = """
        Exit codes: 0 all done; 1 failed, or only a part was done; 2 no such file or node on the server; \
        3 server unreachable or unavailable; 64 wrong usage.
        """

    /// Ends the process with this status.
    /// - Throws: ArgumentParser's `ExitCode`, unless it is ``success``.
    func exit() throws {
        if self != .success { throw ExitCode(rawValue) }
    }
}
