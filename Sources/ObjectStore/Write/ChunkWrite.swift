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

    /// Nodes that have not failed.
    var takingCount: Int { state.withLock { replicas.count - $0.failed.count } }

    /// Hands a piece to every node that has not failed and has room.
    /// - Returns: those that have no room.
    func offer(_ piece: Piece) -> [Replica] {
        replicas.filter { replica in
            guard !hasFailed(replica.node) else { return false }
            do { return try !replica.queue.offer(piece) } catch { return false }
        }
    }

    /// Does without a node that keeps others waiting; repair will bring it its copy.
    func leaveBehind(_ replica: Replica) {
        settle(replica.node, .failure(DeadlineExceeded()))
        replica.queue.abandon(throwing: DeadlineExceeded())
    }

    /// Does without all nodes that have not answered yet.
    /// - Returns: which they are.
    func leaveBehindUnsettled() -> [NodeID] {
        let settled = state.withLock { Set($0.acknowledged).union($0.failed.keys) }
        let late = replicas.filter { !settled.contains($0.node) }
        for replica in late { leaveBehind(replica) }
        return late.map(\.node)
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
