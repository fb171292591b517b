internal import Foundation

/// Where a command writes: results to the standard output, progress and errors to the standard error.
package struct Console: Sendable {
    /// Whether progress is drawn over itself, or written as lines.
    package let isTerminal: Bool
    /// Columns of the terminal.
    package let width: Int
    private let output: @Sendable (String) -> Void
    private let errors: @Sendable (String) -> Void

    package init(
        isTerminal: Bool, width: Int, output: @escaping @Sendable (String) -> Void, errors: @escaping @Sendable (String) -> Void
    ) {
        self.isTerminal = isTerminal
        self.width = width
        self.output = output
        self.errors = errors
    }

    /// The process's own.
    package static var standard: Console {
        var size = winsize()
        let isTerminal = isatty(STDERR_FILENO) == 1
        let hasSize = isTerminal && ioctl(STDERR_FILENO, UInt(TIOCGWINSZ), &size) == 0 && size.ws_col > 0
        return Console(
            isTerminal: isTerminal, width: hasSize ? Int(size.ws_col) : 80,
            output: { try? FileHandle.standardOutput.write(contentsOf: Data($0.utf8)) },
            errors: { try? FileHandle.standardError.write(contentsOf: Data($0.utf8)) })
    }

    /// A line of the result.
    package func print(_ line: String) { output(line + "\n") }

    /// A line of the result, for scripts.
    package func print(json: JSONValue) { output(json.text + "\n") }

    /// A line for people, beside the result.
    package func note(_ line: String) { errors((isTerminal ? "\r\u{1B}[K" : "") + line + "\n") }

    /// Draws a line over the one drawn before. For terminals only.
    package func draw(_ line: String) { errors("\r\u{1B}[K" + line) }
}
