public import NIOCore

/// The body of a request, as it arrives. Reading it is what lets the client send: its first read answers `Expect:
/// 100-continue`, and a handler that stops reading stops the client.
///
/// One reader, once. Throws ``EdgeError``, or `CancellationError` when the reading task is cancelled.
public struct RequestBody: AsyncSequence, Sendable {
    public typealias Element = ByteBuffer

    let buffer: BodyBuffer

    init(buffer: BodyBuffer) { self.buffer = buffer }

    /// A body that is there already.
    public init(_ buffers: [ByteBuffer]) {
        buffer = BodyBuffer(capacity: .max, onFirstDemand: {}, onRoom: {})
        for piece in buffers where piece.readableBytes > 0 { buffer.append(piece) }
        buffer.finish(nil)
    }

    public struct AsyncIterator: AsyncIteratorProtocol, Sendable {
        let buffer: BodyBuffer

        public func next() async throws -> ByteBuffer? { try await buffer.next() }
        public func next(isolation actor: isolated (any Actor)?) async throws -> ByteBuffer? { try await buffer.next() }
    }

    public func makeAsyncIterator() -> AsyncIterator { AsyncIterator(buffer: buffer) }
}
