internal import Core
internal import NIOCore
import Synchronization

/// Digests a body beside its way to the nodes: the hashing of one piece overlaps with the sending of others.
///
/// MD5 is the slowest step of an upload, so it gets a task of its own whose work runs on the executor for hashing.
final class DigestPipeline: Sendable {
    /// Below this many bytes a hop to another thread costs more than the hashing.
    private static let inlineLimit = 16 * 1024

    private struct Input: Sendable {
        let bytes: ByteBuffer
        /// Held as long as the bytes are.
        let lease: MemoryBudget.Lease
    }

    private let queue = BoundedQueue<Input>(capacity: 4)
    private let executor: any BlockingExecutor
    private let result = BoundedQueue<ContentDigest>(capacity: 1)

    private let algorithms: Set<ChecksumAlgorithm>

    /// - Parameter algorithms: what is computed beside MD5 and CRC-32C.
    init(algorithms: Set<ChecksumAlgorithm>, executor: any BlockingExecutor) {
        self.algorithms = algorithms
        self.executor = executor
    }

    func add(_ bytes: ByteBuffer, lease: MemoryBudget.Lease) async throws { try await queue.send(Input(bytes: bytes, lease: lease)) }

    /// Digests until the end of the input. Run it in a task of its own.
    func run() async {
        var digest = ContentDigest(algorithms: algorithms)
        do {
            while let first = try await queue.next() {
                // What has queued up meanwhile goes along: one hop for all of it.
                let inputs = [first] + queue.takeQueued()
                if inputs.count == 1, first.bytes.readableBytes <= Self.inlineLimit {
                    digest.update(first.bytes)
                } else {
                    digest = try await executor.run { [digest] in
                        var digest = digest
                        for input in inputs { digest.update(input.bytes) }
                        return digest
                    }
                }
            }
            _ = try result.offer(digest)
            result.finish()
        } catch {
            queue.cancel()
            result.finish(throwing: error)
        }
    }

    /// The digest of everything added.
    func finish() async throws -> ContentDigest {
        queue.finish()
        guard let digest = try await result.next() else { throw CancellationError() }
        return digest
    }

    /// Ends the task without a result, if it has not ended.
    func stop() { queue.finish(throwing: CancellationError()) }
}
