package import NIOCore
import Synchronization

/// Reads the parts of a form out of a request's body, in order, as they arrive.
///
/// One reader at a time: between ``nextPart()`` and the end of that part's ``PartContent``, nobody else reads.
package final class MultipartReader: Sendable {
    private let read: @Sendable () async throws -> ByteBuffer?
    private let parser: Mutex<MultipartParser>

    /// - Parameter read: gives the next bytes of the body; nil at its end.
    package init(boundary: String, read: @escaping @Sendable () async throws -> ByteBuffer?) {
        self.read = read
        parser = Mutex(MultipartParser(boundary: boundary))
    }

    /// The boundary that a `Content-Type` names.
    /// - Returns: nil for another type than `multipart/form-data`, and for a boundary that there cannot be.
    package static func boundary(of contentType: String) -> String? {
        guard let parsed = ParameterizedValue(contentType), parsed.value.lowercased() == "multipart/form-data",
            let boundary = parsed.parameter("boundary"), (1...70).contains(boundary.utf8.count),
            boundary.utf8.allSatisfy({ (0x20...0x7E).contains($0) })
        else { return nil }
        return boundary
    }

    /// The header of the next part, or nil when the form has been read to its end, and the request with it.
    /// - Throws: ``MultipartParser/ParseError`` or what the body throws.
    package func nextPart() async throws -> PartHeaders? {
        while let event = try await nextEvent() {
            if case .partBegan(let headers) = event { return headers }
        }
        return nil
    }

    /// Bytes of the part that began last; nil at its end.
    package func nextBytes() async throws -> ByteBuffer? {
        guard case .data(let bytes)? = try await nextEvent() else { return nil }
        return bytes
    }

    /// - Returns: nil at the end of the body.
    private func nextEvent() async throws -> MultipartParser.Event? {
        while true {
            if let event = try parser.withLock({ try $0.next() }) { return event }
            guard let bytes = try await read() else {
                try parser.withLock { try $0.finish() }
                return nil
            }
            parser.withLock { $0.feed(bytes) }
        }
    }
}

/// The content of one part.
package struct PartContent: AsyncSequence, Sendable {
    private let reader: MultipartReader

    package init(reader: MultipartReader) { self.reader = reader }

    package struct AsyncIterator: AsyncIteratorProtocol {
        private let reader: MultipartReader
        private var ended = false

        init(reader: MultipartReader) { self.reader = reader }

        package mutating func next() async throws -> ByteBuffer? {
            if ended { return nil }
            let bytes = try await reader.nextBytes()
            ended = bytes == nil
            return bytes
        }
    }

    package func makeAsyncIterator() -> AsyncIterator { AsyncIterator(reader: reader) }
}
