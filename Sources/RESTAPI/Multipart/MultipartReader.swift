internal import HTTPEdge
internal import NIOCore
import Synchronization

/// Reads the parts of a form out of a request's body, in order, as they arrive.
///
/// One reader at a time: between ``nextPart()`` and the end of that part's ``PartContent``, nobody else reads.
final class MultipartReader: Sendable {
    private let body: LimitedBody.AsyncIterator
    private let parser: Mutex<MultipartParser>

    init(boundary: String, body: LimitedBody) {
        self.body = body.makeAsyncIterator()
        parser = Mutex(MultipartParser(boundary: boundary))
    }

    /// The header of the next part, or nil when the form has been read to its end, and the request with it.
    /// - Throws: ``MultipartParser/ParseError`` or what the body throws.
    func nextPart() async throws -> PartHeaders? {
        while let event = try await nextEvent() {
            if case .partBegan(let headers) = event { return headers }
        }
        return nil
    }

    /// Bytes of the part that began last; nil at its end.
    func nextBytes() async throws -> ByteBuffer? {
        guard case .data(let bytes)? = try await nextEvent() else { return nil }
        return bytes
    }

    /// - Returns: nil at the end of the body.
    private func nextEvent() async throws -> MultipartParser.Event? {
        while true {
            if let event = try parser.withLock({ try $0.next() }) { return event }
            guard let bytes = try await body.next() else {
                try parser.withLock { try $0.finish() }
                return nil
            }
            parser.withLock { $0.feed(bytes) }
        }
    }
}

/// The content of one part.
struct PartContent: AsyncSequence, Sendable {
    let reader: MultipartReader

    struct AsyncIterator: AsyncIteratorProtocol {
        let reader: MultipartReader
        private var ended = false

        init(reader: MultipartReader) { self.reader = reader }

        mutating func next() async throws -> ByteBuffer? {
            if ended { return nil }
            let bytes = try await reader.nextBytes()
            ended = bytes == nil
            return bytes
        }
    }

    func makeAsyncIterator() -> AsyncIterator { AsyncIterator(reader: reader) }
}
