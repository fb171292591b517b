internal import Core
internal import NIOCore
import Synchronization

/// A body on its way to the nodes, encrypted. One reader, once.
struct SealedBody<Body: AsyncSequence & Sendable>: AsyncSequence, Sendable where Body.Element == ByteBuffer {
    typealias Element = ByteBuffer

    /// Below this many bytes a hop to another thread costs more than the work.
    private static var inlineLimit: Int { 16 * 1_024 }

    private let body: Body
    private let sealer: SegmentSealer
    private let executor: any BlockingExecutor
    private let outcome = Outcome()

    /// - Parameter executor: where the work is done.
    init(_ body: Body, by sealer: SegmentSealer, executor: any BlockingExecutor) {
        self.body = body
        self.sealer = sealer
        self.executor = executor
    }

    /// The digest of the plain bytes.
    /// - Precondition: the body has come to its end.
    var digest: ContentDigest {
        guard let digest = outcome.digest.withLock({ $0 }) else { preconditionFailure("the body has come to its end") }
        return digest
    }

    func makeAsyncIterator() -> AsyncIterator {
        AsyncIterator(body: body.makeAsyncIterator(), sealer: sealer, executor: executor, outcome: outcome)
    }

    fileprivate final class Outcome: Sendable {
        let digest = Mutex<ContentDigest?>(nil)
    }

    struct AsyncIterator: AsyncIteratorProtocol {
        fileprivate var body: Body.AsyncIterator
        fileprivate var sealer: SegmentSealer
        fileprivate let executor: any BlockingExecutor
        fileprivate let outcome: Outcome
        fileprivate var isEnded = false

        /// - Throws: what the body throws.
        mutating func next() async throws -> ByteBuffer? {
            while !isEnded {
                if let bytes = try await body.next() {
                    sealer.add(bytes)
                    if sealer.isFull { return try await seal() }
                } else {
                    isEnded = true
                    let last = try await seal()
                    outcome.digest.withLock { $0 = sealer.digest }
                    return last
                }
            }
            return nil
        }

        private mutating func seal() async throws -> ByteBuffer {
            if sealer.pendingByteCount <= SealedBody.inlineLimit { return try sealer.seal(isEnd: isEnded) }
            let sealed = try await executor.run { [sealer, isEnded] in
                var sealer = sealer
                let output = try sealer.seal(isEnd: isEnded)
                return (sealer, output)
            }
            sealer = sealed.0
            return sealed.1
        }
    }
}
