internal import ChunkTransport
internal import Core
internal import ErasureCoding
import Synchronization

/// One chunk on its way to its nodes: every node that still takes part gets what belongs to its fragment, and the outcomes are
/// counted.
///
/// The sender calls `offer` and `end`; one task a node runs the node's `put` and reports how it ended.
final class ChunkWrite: Sendable {
    /// A fragment on its way to a node.
    struct Target: Sendable {
        let fragment: FragmentID
        let node: NodeID
        let queue: BoundedQueue<Piece>
    }

    private struct State {
        var acknowledged: [NodeID] = []
        var failed: [NodeID: any Error] = [:]
        var waiter: CheckedContinuation<Void, Never>?
        var waitingFor: Int?
        var descriptor: [UInt8] = []
    }

    let chunk: ChunkID
    let storageClass: StorageClass
    let targets: [Target]
    private let state = Mutex(State())

    /// - Parameter homes: the nodes that the chunk is written to, all different.
    init(chunk: ChunkID, storageClass: StorageClass, homes: [Home], piecesInFlight: Int) {
        self.chunk = chunk
        self.storageClass = storageClass
        targets = homes.map { Target(fragment: $0.fragment, node: $0.node, queue: BoundedQueue(capacity: piecesInFlight)) }
    }

    var acknowledged: [NodeID] { state.withLock { $0.acknowledged } }
    /// What is durable, and where.
    var written: [Home] {
        let acknowledged = acknowledged
        return targets.filter { acknowledged.contains($0.node) }.map { Home(fragment: $0.fragment, node: $0.node) }
    }
    var failures: [NodeID: any Error] { state.withLock { $0.failed } }
    /// Whether every node has answered, one way or the other.
    var isSettled: Bool { state.withLock { $0.acknowledged.count + $0.failed.count == targets.count } }

    /// Nodes that have not failed.
    var takingCount: Int { state.withLock { targets.count - $0.failed.count } }

    /// Hands every node that has not failed and has room its piece.
    /// - Returns: those that have no room.
    func offer(_ pieces: EncodedPieces) -> [Target] {
        targets.filter { target in
            guard !hasFailed(target.node) else { return false }
            do { return try !target.queue.offer(pieces[target.fragment.number]) } catch { return false }
        }
    }

    /// Does without a node that keeps others waiting; repair will bring it its copy.
    func leaveBehind(_ target: Target) {
        settle(target.node, .failure(DeadlineExceeded()))
        target.queue.abandon(throwing: DeadlineExceeded())
    }

    /// Does without all nodes that have not answered yet.
    /// - Returns: which they are.
    func leaveBehindUnsettled() -> [NodeID] {
        let settled = state.withLock { Set($0.acknowledged).union($0.failed.keys) }
        let late = targets.filter { !settled.contains($0.node) }
        for target in late { leaveBehind(target) }
        return late.map(\.node)
    }

    /// What the fragments carry beside their payload: known when the pieces have ended.
    var descriptor: [UInt8] { state.withLock { $0.descriptor } }

    /// No more pieces come.
    func end(descriptor: [UInt8]) {
        state.withLock { $0.descriptor = descriptor }
        for target in targets { target.queue.finish() }
    }

    /// The chunk will not be completed: nodes must not keep it.
    func abandon() { for target in targets { target.queue.finish(throwing: CancellationError()) } }

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
        for target in targets { settle(target.node, .failure(error)) }
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
        return state.acknowledged.count >= wanted || state.acknowledged.count + state.failed.count == targets.count
    }

    private func hasFailed(_ node: NodeID) -> Bool { state.withLock { $0.failed[node] != nil } }
}
