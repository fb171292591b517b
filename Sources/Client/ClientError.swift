/// Why the client did not do what it was asked.
package enum ClientError: Error, Hashable, Sendable, CustomStringConvertible {
    /// No connection could be made: the server has seen nothing of the request. Trying again can help.
    case unreachable(detail: String)
    /// The connection broke. Trying again can help.
    case connectionLost(detail: String)
    /// The server answered that it cannot serve at the moment. Trying again, after `retryAfter` if it said so, can help.
    case unavailable(detail: String, retryAfter: Duration?)
    case notFound(detail: String)
    /// The server answered that a storage node does not. Trying again later can help.
    case nodeUnreachable(detail: String)
    /// No node of the cluster, or several, can be meant by what was typed.
    case wrongNode(detail: String)
    /// The server refused the request. Trying again does not help.
    case refused(status: Int, detail: String)
    /// An answer that does not have the form that it must have.
    case unexpectedAnswer(detail: String)
    /// What arrived is not what was sent.
    case corrupt(detail: String)
    /// The connection broke after all of an upload was sent and before it was acknowledged: the file may be stored or not.
    case outcomeUnknown(detail: String)
    /// The connection broke after a change of the cluster may have arrived: it may have been made or not, as a command shows.
    case changeUnknown(detail: String, shownBy: String)
    /// A file of this machine.
    case localFile(path: String, detail: String)

    package var canRetry: Bool {
        switch self {
        case .unreachable, .connectionLost, .unavailable: true
        default: false
        }
    }

    package var exitStatus: ExitStatus {
        switch self {
        case .unreachable, .connectionLost, .unavailable, .nodeUnreachable, .outcomeUnknown, .changeUnknown: .unavailable
        case .notFound: .notFound
        case .wrongNode: .wrongUsage
        case .refused, .unexpectedAnswer, .corrupt, .localFile: .failure
        }
    }

    package var description: String {
        switch self {
        case .unreachable(let detail): "the server cannot be reached: \(detail)"
        case .connectionLost(let detail): "the connection broke: \(detail)"
        case .unavailable(let detail, _): "the server is unavailable: \(detail)"
        case .notFound(let detail), .nodeUnreachable(let detail), .wrongNode(let detail): detail
        case .refused(let status, let detail): "the server refused with \(status): \(detail)"
        case .unexpectedAnswer(let detail): "unexpected answer from the server: \(detail)"
        case .corrupt(let detail): detail
        case .outcomeUnknown(let detail):
            "the connection broke after everything was sent, so the file may be stored or not (see ls): \(detail)"
        case .changeUnknown(let detail, let command):
            "the connection broke before an answer, so the change may have been made or not (see \(command)): \(detail)"
        case .localFile(let path, let detail): "\(path.printable): \(detail)"
        }
    }
}
