internal import HTTPEdge
internal import NIOCore
internal import NIOHTTP1
import Synchronization

/// A request's body that must not be longer than `limit` bytes.
struct LimitedBody: AsyncSequence, Sendable {
    let body: RequestBody
    let limit: Int64

    final class AsyncIterator: AsyncIteratorProtocol, Sendable {
        private let body: RequestBody.AsyncIterator
        private let limit: Int64
        private let left: Mutex<Int64>

        init(body: RequestBody.AsyncIterator, limit: Int64) {
            self.body = body
            self.limit = limit
            left = Mutex(limit)
        }

        /// - Throws: a ``Problem`` with 413 beyond the limit, or what the body throws.
        func next() async throws -> ByteBuffer? {
            guard let bytes = try await body.next() else { return nil }
            let isWithin = left.withLock { left in
                left -= Int64(bytes.readableBytes)
                return left >= 0
            }
            guard isWithin else { throw Problem.uploadTooLarge(limit: limit) }
            return bytes
        }
    }

    func makeAsyncIterator() -> AsyncIterator { AsyncIterator(body: body.makeAsyncIterator(), limit: limit) }
}

extension Problem {
    static func uploadTooLarge(limit: Int64) -> Problem {
        Problem(
            .payloadTooLarge, "upload-too-large", title: "The upload is too large", detail: "an upload has at most \(limit) bytes")
    }
}
