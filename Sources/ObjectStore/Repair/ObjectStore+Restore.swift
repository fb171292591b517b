internal import ChunkTransport
internal import Core
internal import ErasureCoding

/// How a fragment comes to a node that should have it: from node to node, never through this process.
extension ObjectStore {
    /// Nodes that may hold a fragment of an erasure code in the place of its home, and are worth asking first.
    private static let coveringCount = 4
    /// Of those, the ones that are asked for a fragment that could be computed as well: who took a write in the place of its home.
    private static let substituteCount = 1

    /// Has `node` fetch a fragment from whoever has it, or compute it from others.
    /// - Parameter transport: the way to `node`.
    /// - Throws: ``NodeError``, `CancellationError`.
    func restore(
        _ fragment: FragmentID, _ storageClass: StorageClass, layoutVersion: Int, on node: NodeID, _ transport: any ChunkTransport
    ) async throws {
        guard case .coded(let code) = storageClass else {
            let (wanted, others) = map.places(of: fragment, storageClass, layoutVersion: layoutVersion)
            let sources = nodes.byHealth(wanted + others).filter { $0 != node && nodes.health(of: $0) != .down }
            _ = try await transport.pull(fragment, from: sources.compactMap(nodes.peer))
            return
        }
        do {
            try await restore(fragment, storageClass, code, layoutVersion: layoutVersion, on: node, transport, asking: Self.coveringCount)
        } catch NodeError.noSource {
            // After a rebuild of the metadata, or many changes of the layout, fragments may be where nobody would look first. What is
            // there is worth asking everybody, as a read does.
            try await restore(fragment, storageClass, code, layoutVersion: layoutVersion, on: node, transport, asking: .max)
        }
    }

    /// - Parameter coveringCount: nodes that are asked for each fragment beside its home.
    private func restore(
        _ fragment: FragmentID, _ storageClass: StorageClass, _ code: ErasureCode, layoutVersion: Int, on node: NodeID,
        _ transport: any ChunkTransport, asking coveringCount: Int
    ) async throws {
        func sources(of fragment: FragmentID, asking coveringCount: Int) -> [Peer] {
            self.sources(of: fragment, storageClass, layoutVersion: layoutVersion, except: node, asking: coveringCount)
        }
        // A whole fragment is a fraction of what computing it takes. But every node that is asked in vain costs a call, and of what a
        // lost node had nobody has a copy: only the first in its place is asked.
        let holders = sources(of: fragment, asking: coveringCount == .max ? .max : Self.substituteCount)
        do {
            if !holders.isEmpty {
                _ = try await transport.pull(fragment, from: holders)
                return
            }
        } catch NodeError.noSource {
            // Nobody has it: it is computed.
        }
        let others = storageClass.fragmentNumbers.filter { $0 != fragment.number }.map { number in
            FragmentSource(number: number, peers: sources(of: FragmentID(chunk: fragment.chunk, number: number), asking: coveringCount))
        }
        // Those whose home answers first.
        let ordered = others.filter { !$0.peers.isEmpty }.sorted { one, other in
            let (first, second) = (nodes.health(of: one.peers[0].id) == .up ? 0 : 1, nodes.health(of: other.peers[0].id) == .up ? 0 : 1)
            return (first, one.number) < (second, other.number)
        }
        _ = try await transport.reconstruct(fragment, code: code, from: ordered)
    }

    /// Nodes that have a fragment of an erasure code, as far as anybody can tell from here.
    private func sources(
        of fragment: FragmentID, _ storageClass: StorageClass, layoutVersion: Int, except node: NodeID, asking coveringCount: Int
    ) -> [Peer] {
        let (wanted, others) = map.places(of: fragment, storageClass, layoutVersion: layoutVersion)
        let asked = (wanted + others.prefix(coveringCount)).filter { $0 != node }
        return nodes.byHealth(asked).filter { nodes.health(of: $0) != .down }.compactMap(nodes.peer)
    }
}
