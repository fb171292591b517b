internal import ChunkTransport
internal import Core
internal import Metadata
internal import NIOCore
import Synchronization
internal import Traces
internal import Tracing

/// Reads one chunk's range from whichever nodes can serve it: goes on at another node where one breaks off, and asks another
/// beside one that is silent for longer than it should be.
struct ChunkReader: Sendable {
    let read: ChunkRead
    let store: ObjectStore

    private var fragment: FragmentID { FragmentID(chunk: read.chunk) }

    /// What the receiver of the bytes threw: it ends the read, no other node is asked.
    private struct ReceiverFailed: Error { let underlying: any Error }

    /// How an attempt at a node ended.
    private enum Turn: Sendable {
        case served
        case failed(NodeID, NodeError)
        case receiverFailed(any Error)
        /// Nothing has come for as long as a node may be silent.
        case silent
        case cancelled
    }

    /// - Throws: ``StoreError/chunkUnavailable``, what `receive` throws, or `CancellationError`.
    func deliver(to receive: @escaping @Sendable (ByteBuffer) async throws -> Void) async throws {
        let stream = ChunkStream(range: read.range, time: store.time, receive: receive)
        store.readLatencies.noteRead()
        var failures: [(NodeID, NodeError)] = []
        for round in 0..<store.configuration.readRounds {
            if round > 0 { try await store.time.sleep(for: store.configuration.readRoundPause) }
            if try await serve(stream, &failures) { return }
        }
        let detail = failures.map { "\($0.0): \($0.1)" }.joined(separator: "; ")
        throw StoreError.chunkUnavailable(read.chunk, detail: detail)
    }

    /// Asks every node once at most, until one has served the rest of the range.
    private func serve(_ stream: ChunkStream, _ failures: inout [(NodeID, NodeError)]) async throws -> Bool {
        let (wanted, successors) = store.map.places(of: fragment, read.storageClass, layoutVersion: read.layoutVersion)
        let nodes = store.nodes.byHealth(wanted + successors)
        // Those that have the chunk and answer: among them it is a matter of speed.
        let equals = nodes.filter { wanted.contains($0) && store.nodes.health(of: $0) == .up }
        let ordered = store.readLatencies.order(equals, at: store.time.monotonicNow())
        var others = (ordered + nodes.filter { !equals.contains($0) })[...]
        var hedges = ordered.count > 1 ? 1 : 0
        let patience = store.readLatencies.hedgeDelay(among: equals)

        return try await withThrowingTaskGroup(of: Turn.self) { group in
            defer { group.cancelAll() }
            var running = 0
            func askNext() {
                guard let node = others.popFirst() else { return }
                running += 1
                group.addTask { await attempt(node, stream) }
            }
            askNext()
            if hedges > 0 { group.addTask { await stream.waitUntilSilent(for: patience) ? .silent : .cancelled } }
            while running > 0, let turn = try await group.next() {
                switch turn {
                case .served: return true
                case .receiverFailed(let error): throw error
                case .failed(let node, let error):
                    try Task.checkCancellation()
                    store.note(error, of: fragment, from: node, read: read, isExpectedThere: wanted.contains(node))
                    failures.append((node, error))
                    running -= 1
                    if running == 0 { askNext() }
                case .silent:
                    guard hedges > 0, let next = others.first, equals.contains(next), store.readLatencies.takeHedge() else { continue }
                    hedges -= 1
                    askNext()
                case .cancelled: try Task.checkCancellation()
                }
            }
            try Task.checkCancellation()
            return false
        }
    }

    private func attempt(_ node: NodeID, _ stream: ChunkStream) async -> Turn {
        let start = store.time.monotonicNow()
        let hasAnswered = Atomic(false)
        let answered = { @Sendable in
            guard hasAnswered.compareExchange(expected: false, desired: true, ordering: .relaxed).exchanged else { return }
            let now = store.time.monotonicNow()
            store.readLatencies.note(now - start, of: node, at: now)
        }
        do {
            try await traced("read from node", ["chunkflow.node": "\(node)"]) {
                try await deliver(from: node, to: stream, answered: answered)
            }
            return .served
        } catch let failure as ReceiverFailed {
            return .receiverFailed(failure.underlying)
        } catch let error as NodeError {
            return .failed(node, error)
        } catch {
            let now = store.time.monotonicNow()
            if !hasAnswered.load(ordering: .relaxed) { store.readLatencies.noteGivenUp(now - start, of: node, at: now) }
            return .cancelled
        }
    }

    private func deliver(from node: NodeID, to stream: ChunkStream, answered: @escaping @Sendable () -> Void) async throws {
        guard let transport = store.nodes.transport(to: node) else {
            throw NodeError.unreachable(address: "", detail: "the node is not a member of the cluster")
        }
        let range = read.range
        let start = stream.position
        guard start < range.upperBound else { return }
        // Whole blocks arrive; what is still wanted may begin and end within one.
        let offset = Atomic(start - start % Piece.blockSize)
        let info = try await transport.get(fragment, range: start..<range.upperBound) { piece in
            answered()
            let lower = offset.wrappingAdd(piece.bytes.readableBytes, ordering: .relaxed).oldValue
            do {
                try await stream.take(piece.bytes, at: lower)
            } catch let error as ChunkStream.ReceiverFailed {
                throw ReceiverFailed(underlying: error.underlying)
            }
        }
        guard info.byteCount == read.chunkByteCount else {
            throw NodeError.corrupt(fragment, detail: "\(info.byteCount) bytes where \(read.chunkByteCount) were written")
        }
        guard stream.position == range.upperBound else {
            throw NodeError.unreachable(address: "", detail: "the node ended the fragment early")
        }
    }
}
