internal import Foundation
internal import Settings
internal import Synchronization

/// Where log lines go. Safe to use from any thread: lines never mix.
final class LogOutput: Sendable {
    static let standardError = STDERR_FILENO

    private let descriptor: Int32
    private let isJSON: Bool
    private let turn = Mutex(())

    /// - Parameter descriptor: stays open as long as the process runs.
    init(_ format: LogFormat, to descriptor: Int32 = standardError) {
        self.descriptor = descriptor
        isJSON =
            switch format {
            case .json: true
            case .text: false
            case .auto: isatty(descriptor) == 0
            }
    }

    /// Blocks as long as whoever reads does. What cannot be written is lost: there is nobody to tell.
    func append(_ line: LogLine) {
        var text = isJSON ? line.json : line.text
        text += "\n"
        text.withUTF8 { bytes in turn.withLock { _ in writeAll(UnsafeRawBufferPointer(bytes)) } }
    }

    private func writeAll(_ bytes: UnsafeRawBufferPointer) {
        var rest = bytes
        while !rest.isEmpty {
            let count = write(descriptor, rest.baseAddress, rest.count)
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { return }
            rest = UnsafeRawBufferPointer(rebasing: rest[count...])
        }
    }
}
