package import NIOCore

/// Where a download goes. Its calls wait for disks: they are made on a ``BlockingExecutor``, one after the other.
package protocol DownloadSink: Sendable {
    /// How much of the file is there from an earlier attempt; reads it through `check`.
    /// - Throws: ``ClientError/localFile(path:detail:)``, like everything here.
    func prepare(for file: FileDescription, check: inout ContentCheck) throws
    func write(_ buffer: ByteBuffer, at offset: Int64) throws
    /// Forgets everything that was written.
    /// - Throws: when it is out of reach already.
    func restart() throws
    /// Everything is there and is what it must be: makes it durable and visible.
    func commit() throws
    /// What is there is wrong: nothing must stay of it.
    func discard()
}
