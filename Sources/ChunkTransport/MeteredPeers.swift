public import Core
internal import Synchronization

/// The ways to other nodes, whose calls are counted and timed. Safe to use from any task.
public final class MeteredPeers: PeerDialer {
    private let peers: any PeerDialer
    private let time: any TimeSource
    /// By address: a transport is asked for with every fragment.
    private let metrics = Mutex<[String: NodeCallMetrics]>([:])

    public init(_ peers: any PeerDialer, time: any TimeSource) {
        self.peers = peers
        self.time = time
    }

    public func transport(to peer: Peer) async throws -> any ChunkTransport {
        MeteredTransport(try await peers.transport(to: peer), metrics: metrics(of: peer), time: time)
    }

    private func metrics(of peer: Peer) -> NodeCallMetrics {
        // A node of the same process has no address.
        let address = peer.address.isEmpty ? peer.id.description : peer.address
        return metrics.withLock { metrics in
            if let known = metrics[address] { return known }
            let made = NodeCallMetrics(address: address)
            metrics[address] = made
            return made
        }
    }
}
