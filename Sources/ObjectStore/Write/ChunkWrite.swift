internal import ChunkTransport
internal import Core
import Synchronization

/// One chunk on its way to its nodes: every piece goes to every node that still takes part, and the outcomes are counted.
///
/// The sender calls `send` and `end`; one task a node runs the node's `put` and reports how it ended.
final class ChunkWrite: Sendable {
    struct Replica: Sendable {
        let node: NodeID
        let queue: BoundedQueue<Piece>
    }

    private struct State {
        var acknowledged: [NodeID] = []
        var failed: [NodeID: any Error] = [:]
        var waiter: CheckedContinuation<Void, Never>?
        var waitingFor: Int?
    }

    let chunk: ChunkID
    let replicas: [Replica]
    private let state = Mutex(State())

    init(chunk: ChunkID, nodes: [NodeID], piecesInFlight: Int) {
        self.chunk = chunk
        replicas = nodes.map { Replica(node: $0, queue: BoundedQueue(capacity: piecesInFlight)) }
    }

    var acknowledged: [NodeID] { state.withLock { $0.acknowledged } }
    var failures: [NodeID: any Error] { state.withLock { $0.failed } }
    /// Whether every node has answered, one way or the other.
    var isSettled: Bool { state.withLock { $0.acknowledged.count + $0.failed.count == replicas.count } }

    /// Hands a piece to every node that has not failed.
    ///
    /// A node whose queue stays full for `patience` is left behind, as long as `quorum` others keep up.
    /// - Returns: the number of nodes that still take part.
    func send(_ piece: Piece, quorum: Int, patience: Duration, time: any TimeSource) async throws -> Int {
        var taking = 0
        var late: [Replica] = []
        for replica in replicas where !hasFailed(replica.node) {
            do {
                if try replica.queue.offer(piece) { taking += 1 } else { late.append(replica) }
            } catch is BoundedQueue<Piece>.Cancelled {}
        }
        for replica in late {
            do {
                if taking >= quorum {
                    try await withDeadline(patience, time: time) { try await replica.queue.send(piece) }
                } else {
                    try await replica.queue.send(piece)
                }
                taking += 1
            } catch is DeadlineExceeded {
                replica.queue.finish(throwing: DeadlineExceeded())
                settle(replica.node, .failure(DeadlineExceeded()))
            } catch is BoundedQueue<Piece>.Cancelled {}
        }
        return taking
    }

    /// No more pieces come.
    func end() { for replica in replicas { replica.queue.finish() } }

    /// The chunk will not be completed: nodes must not keep it.
    func abandon() { for replica in replicas { replica.queue.finish(throwing: CancellationError()) } }

    func settle(_ node: NodeID, _ outcome: Result<FragmentInfo, any Error>) {
        let waiter = state.withLock { state -> CheckedContinuation<Void, Never>? in
            guard !state.acknowledged.contains(node), state.failed[node] == nil else { return nil }
            switch outcome {
            case .success: state.acknowledged.append(node)
            case .failure(let error): state.failed[node] = error
            }
            guard isDecided(state) else { return nil }
            defer { state.waiter = nil }
            return state.waiter
        }
        waiter?.resume()
    }

    /// Counts every node that has not answered yet as failed.
    func settleMissing(_ error: any Error) {
        for replica in replicas { settle(replica.node, .failure(error)) }
    }

    /// Waits until `count` nodes have acknowledged, all have answered, or the calling task is cancelled.
    func waitForAcknowledgements(_ count: Int) async {
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let decided = state.withLock { state in
                    state.waitingFor = count
                    if isDecided(state) || Task.isCancelled { return true }
                    precondition(state.waiter == nil, "a ChunkWrite has one waiter")
                    state.waiter = continuation
                    return false
                }
                if decided { continuation.resume() }
            }
        } onCancel: {
            let waiter = state.withLock { state in
                defer { state.waiter = nil }
                return state.waiter
            }
            waiter?.resume()
        }
    }

    private func isDecided(_ state: State) -> Bool {
        guard let wanted = state.waitingFor else { return false }
        return state.acknowledged.count >= wanted || state.acknowledged.count + state.failed.count == replicas.count
    }

    private func hasFailed(_ node: NodeID) -> Bool { state.withLock { $0.failed[node] != nil } }
}
