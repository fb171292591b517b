/// Finds the way from one node to another.
public protocol PeerDialer: Sendable {
    /// - Throws: ``NodeError/unreachable`` when there is no way to the peer.
    func transport(to peer: Peer) async throws -> any ChunkTransport
}
