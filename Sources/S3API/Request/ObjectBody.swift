internal import HTTPEdge
internal import NIOCore
internal import NIOHTTP1
import Synchronization

/// The bytes of an object on their way in: without the framing `aws-chunked`, and exactly as many as were announced.
///
/// One reader, once.
struct ObjectBody: AsyncSequence, Sendable {
    typealias Element = ByteBuffer

    private let body: RequestBody
    private let state: State

    /// Bytes that are announced; nil for a body of unknown length.
    let byteCount: Int64?

    /// - Parameter maximum: bytes that an object of this request may have.
    /// - Throws: ``S3Error`` `EntityTooLarge`, `InvalidArgument`, `MissingContentLength`.
    init(_ request: HTTPRequest, payload: Payload, maximum: Int64) throws(S3Error) {
        body = request.body
        if payload.isChunked || Self.isChunked(request.headers) {
            guard let text = request.headers.first(name: "x-amz-decoded-content-length") else {
                throw S3Error(.missingContentLength, "A body in chunks needs x-amz-decoded-content-length")
            }
            guard let count = Int64(text), count >= 0 else {
                throw S3Error(.invalidArgument, "x-amz-decoded-content-length must be a number of bytes")
            }
            byteCount = count
        } else {
            byteCount = request.contentLength
        }
        if let byteCount, byteCount > maximum { throw S3Error(.entityTooLarge) }
        let isFramed = payload.isChunked
        state = State(decoder: isFramed ? AWSChunkedDecoder(payload) : nil, announced: byteCount, maximum: maximum)
    }

    /// Some clients say by the content's encoding alone that it is chunked.
    private static func isChunked(_ headers: HTTPHeaders) -> Bool { headers.contains(name: "x-amz-decoded-content-length") }

    /// Fields behind the body, by lower-case name, once it has come to its end.
    var trailer: [String: String] { state.content.withLock { $0.decoder?.trailer ?? [:] } }

    func makeAsyncIterator() -> AsyncIterator { AsyncIterator(body: body.makeAsyncIterator(), state: state) }

    final class State: Sendable {
        struct Content {
            var decoder: AWSChunkedDecoder?
            var received: Int64 = 0
        }

        let content: Mutex<Content>
        let announced: Int64?
        let maximum: Int64

        init(decoder: AWSChunkedDecoder?, announced: Int64?, maximum: Int64) {
            content = Mutex(Content(decoder: decoder))
            self.announced = announced
            self.maximum = maximum
        }
    }

    struct AsyncIterator: AsyncIteratorProtocol, Sendable {
        let body: RequestBody.AsyncIterator
        let state: State

        /// - Throws: ``S3Error``, or what the body throws.
        func next() async throws -> ByteBuffer? {
            while true {
                if let bytes = try decoded() { return try counted(bytes) }
                guard let arrived = try await body.next() else {
                    try checkEnd()
                    return nil
                }
                let isFramed = state.content.withLock { content in
                    content.decoder?.feed(arrived)
                    return content.decoder != nil
                }
                if !isFramed { return try counted(arrived) }
            }
        }

        private func decoded() throws -> ByteBuffer? { try state.content.withLock { try $0.decoder?.next() } }

        private func counted(_ bytes: ByteBuffer) throws -> ByteBuffer {
            let received = state.content.withLock { content in
                content.received += Int64(bytes.readableBytes)
                return content.received
            }
            if let announced = state.announced, received > announced {
                throw S3Error(.incompleteBody, "More bytes arrived than were announced")
            }
            guard received <= state.maximum else { throw S3Error(.entityTooLarge) }
            return bytes
        }

        private func checkEnd() throws {
            let (received, isEnded) = state.content.withLock { ($0.received, $0.decoder?.isEnded ?? true) }
            guard isEnded, received == state.announced ?? received else { throw S3Error(.incompleteBody) }
        }
    }
}
