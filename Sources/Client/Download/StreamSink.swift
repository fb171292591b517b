internal import Foundation
package import NIOCore

/// A download that goes straight on: to the standard output, a pipe or a device. It cannot begin again once bytes have left.
package final class StreamSink: DownloadSink {
    private let file: FileDescriptor

    package init(_ file: FileDescriptor) { self.file = file }

    package static func standardOutput() -> StreamSink { StreamSink(FileDescriptor(borrowing: STDOUT_FILENO, path: "standard output")) }

    package func prepare(for file: FileDescription, check: inout ContentCheck) throws {}
    package func write(_ buffer: ByteBuffer, at offset: Int64) throws { try file.write(buffer, at: nil) }
    package func restart() throws { throw ClientError.corrupt(detail: "\(file.path): wrong bytes have gone out already") }
    package func commit() throws {}
    package func discard() {}
}
