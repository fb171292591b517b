internal import ChunkTransport
internal import Core
internal import ErasureCoding
internal import Synchronization

/// Finds the storage nodes of this process by name.
final class LocalPeers: PeerDialer {
    private let nodes = Mutex<[NodeID: LocalChunkTransport]>([:])

    func add(_ node: LocalChunkTransport) { nodes.withLock { $0[node.id] = node } }

    func transport(to peer: Peer) async throws -> any ChunkTransport { try transport(peer.id) }

    /// - Parameter address: a node's name. A name that is not of this process gives a transport that cannot be reached.
    func transport(toAddress address: String) -> any ChunkTransport {
        if let id = NodeID(address), let node = try? transport(id) { return node }
        return AbsentNode(address: address)
    }

    private func transport(_ id: NodeID) throws -> LocalChunkTransport {
        guard let node = nodes.withLock({ $0[id] }) else {
            throw NodeError.unreachable(address: id.description, detail: "the node is not started: are there fewer --nodes than before?")
        }
        return node
    }
}

/// A node that the metadata knows and that this process was not told to start.
private struct AbsentNode: ChunkTransport {
    let address: String

    private var absent: NodeError {
        .unreachable(address: address, detail: "the node is not started: are there fewer --nodes than before?")
    }

    func put(
        _ id: FragmentID, pieces: BoundedQueue<Piece>, descriptor: @escaping @Sendable () -> [UInt8]
    ) async throws -> FragmentInfo {
        pieces.cancel()
        throw absent
    }
    func get(
        _ id: FragmentID, range: Range<Int>?, deliver: @escaping @Sendable (Piece) async throws -> Void
    ) async throws -> FragmentInfo { throw absent }
    func descriptor(of id: FragmentID) async throws -> [UInt8] { throw absent }
    func delete(_ ids: [FragmentID]) async throws { throw absent }
    func stat(_ id: FragmentID) async throws -> FragmentInfo? { throw absent }
    func list(after cursor: ListCursor?, limit: Int) async throws -> FragmentPage { throw absent }
    func quarantined(limit: Int) async throws -> [FragmentID] { throw absent }
    func information() async throws -> NodeInformation { throw absent }
    func claim(for cluster: ClusterID) async throws -> NodeInformation { throw absent }
    func pull(_ id: FragmentID, from sources: [Peer]) async throws -> FragmentInfo { throw absent }
    func reconstruct(_ id: FragmentID, code: ErasureCode, from sources: [FragmentSource]) async throws -> FragmentInfo { throw absent }
}
