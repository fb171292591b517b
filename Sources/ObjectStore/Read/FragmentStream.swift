internal import ChunkTransport
internal import Core
internal import NIOCore
import Synchronization

/// A range of one fragment of an erasure-coded chunk, on its way from the first of several nodes that can serve it.
///
/// One task runs ``fill()``, another takes.
final class FragmentStream: Sendable {
    /// No node could serve the fragment, or none soon enough.
    struct Unavailable: Error { let number: Int }

    /// Pieces that wait to be taken.
    private static let piecesAhead = 2

    private let fragment: FragmentID
    private let range: Range<Int>
    private let nodes: [NodeID]
    private let read: ChunkRead
    private let fragmentByteCount: Int
    private let store: ObjectStore
    private let failures: FragmentFailures
    private let queue = BoundedQueue<ByteBuffer>(capacity: FragmentStream.piecesAhead)
    /// Arrived, and not taken yet.
    private let rest = Mutex(ByteBuffer())

    /// - Parameters:
    ///   - range: bytes of the fragment.
    ///   - nodes: asked in this order.
    init(
        fragment: FragmentID, range: Range<Int>, nodes: [NodeID], read: ChunkRead, fragmentByteCount: Int, store: ObjectStore,
        failures: FragmentFailures
    ) {
        self.fragment = fragment
        self.range = range
        self.nodes = nodes
        self.read = read
        self.fragmentByteCount = fragmentByteCount
        self.store = store
        self.failures = failures
    }

    private var unavailable: Unavailable { Unavailable(number: Int(fragment.number)) }

    /// Fetches the range. Ends when all of it was taken, nobody could serve it, or the task is cancelled.
    func fill() async {
        let arrival = Arrival(position: range.lowerBound)
        for node in nodes {
            do {
                try await fetch(from: node, arrival)
                queue.finish()
                return
            } catch let error as NodeError {
                let homes = store.map.places(of: fragment, read.storageClass, layoutVersion: read.layoutVersion).nodes
                store.note(error, of: fragment, from: node, read: read, isExpectedThere: homes.contains(node))
                failures.add(error, from: node)
            } catch {
                // Nobody takes any more.
                break
            }
        }
        queue.finish(throwing: unavailable)
    }

    private func fetch(from node: NodeID, _ arrival: Arrival) async throws {
        guard let transport = store.nodes.transport(to: node) else {
            throw NodeError.unreachable(address: "", detail: "the node is not a member of the cluster")
        }
        let start = store.time.monotonicNow()
        let from = arrival.begin()
        do {
            let info = try await transport.get(fragment, range: from..<range.upperBound) { [self] piece in
                let now = store.time.monotonicNow()
                if arrival.isFirst() { store.readLatencies.note(now - start, of: node, at: now) }
                if let wanted = arrival.take(piece.bytes, before: range.upperBound) { try await queue.send(wanted) }
            }
            guard info.byteCount == fragmentByteCount else {
                throw NodeError.corrupt(fragment, detail: "\(info.byteCount) bytes where \(fragmentByteCount) were written")
            }
            guard arrival.position == range.upperBound else {
                throw NodeError.unreachable(address: "", detail: "the node ended the fragment early")
            }
        } catch let error as NodeError {
            throw error
        } catch {
            let now = store.time.monotonicNow()
            if arrival.isFirst() { store.readLatencies.noteGivenUp(now - start, of: node, at: now) }
            throw error
        }
    }

    /// What has come of a range that nodes, one after the other, serve in whole blocks.
    private final class Arrival: Sendable {
        private struct State {
            /// Up to where the range was handed on.
            var position: Int
            /// Where the next piece begins.
            var offset: Int
            var hasBegun = false
        }

        private let state: Mutex<State>

        init(position: Int) { state = Mutex(State(position: position, offset: position)) }

        var position: Int { state.withLock { $0.position } }

        /// A node is asked.
        /// - Returns: from where.
        func begin() -> Int {
            state.withLock { state in
                state.offset = state.position - state.position % Piece.blockSize
                state.hasBegun = false
                return state.position
            }
        }

        func isFirst() -> Bool {
            state.withLock { state in
                defer { state.hasBegun = true }
                return !state.hasBegun
            }
        }

        /// The part of the next piece that was not handed on yet and is wanted.
        func take(_ bytes: ByteBuffer, before end: Int) -> ByteBuffer? {
            state.withLock { state in
                let start = state.offset
                state.offset += bytes.readableBytes
                let lower = max(state.position, start)
                let upper = min(end, state.offset)
                guard lower < upper else { return nil }
                state.position = upper
                return bytes.getSlice(at: bytes.readerIndex + lower - start, length: upper - lower)
            }
        }
    }

    // MARK: Taking

    /// Exactly `count` bytes, the next of the range.
    /// - Parameter patience: how long nothing may come, if the budget for asking others allows; nil for as long as it takes.
    /// - Throws: ``Unavailable``, `CancellationError`.
    func take(_ count: Int, patience: Duration?) async throws -> ByteBuffer {
        var taken = rest.withLock { rest in
            defer { rest.clear() }
            return rest
        }
        while taken.readableBytes < count {
            var next = try await nextPiece(patience)
            if taken.readableBytes == 0 { taken = next } else { taken.writeBuffer(&next) }
        }
        let result = taken.readSlice(length: count)!
        let remaining = taken
        rest.withLock { $0 = remaining }
        return result
    }

    private func nextPiece(_ patience: Duration?) async throws -> ByteBuffer {
        let queue = queue
        if let piece = queue.nextIfQueued() { return piece }
        guard let patience, store.readLatencies.hasHedge else {
            guard let piece = try await queue.next() else { throw unavailable }
            return piece
        }
        do {
            guard let piece = try await withDeadline(patience, time: store.time, operation: { try await queue.next() }) else {
                throw unavailable
            }
            return piece
        } catch is DeadlineExceeded {
            // What came at the last moment is lost with the stream: it must not be read on.
            _ = store.readLatencies.takeHedge()
            queue.cancel()
            throw unavailable
        }
    }

    func cancel() { queue.cancel() }
}

/// Why fragments could not be read: for the error that the client gets. Safe to use from any thread.
final class FragmentFailures: Sendable, CustomStringConvertible {
    private let failures = Mutex<[NodeID: NodeError]>([:])

    func add(_ error: NodeError, from node: NodeID) { failures.withLock { $0[node] = error } }

    var description: String {
        failures.withLock { $0 }.sorted { $0.key < $1.key }.map { "\($0.key): \($0.value)" }.joined(separator: "; ")
    }
}
