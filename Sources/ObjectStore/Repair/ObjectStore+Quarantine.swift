internal import ChunkTransport
internal import Core
internal import Logging
internal import Metadata
internal import Placement

/// What nodes themselves have found corrupt, by a scrub or on the way: restored if it is wanted there, removed if not.
extension ObjectStore {
    func watchQuarantineForever() async {
        while (try? await time.sleep(for: configuration.quarantineInterval)) != nil {
            for node in nodes.ids where nodes.isAnswering(node) && nodes.information(on: node)?.quarantinedCount ?? 0 > 0 {
                do {
                    try await restoreQuarantined(on: node)
                } catch is CancellationError {
                    return
                } catch {
                    nodes.report(error, from: node)
                    logger.warning("corrupt fragments are not dealt with yet", metadata: ["node": "\(node)", "error": "\(error)"])
                }
            }
        }
    }

    private func restoreQuarantined(on node: NodeID) async throws {
        guard let transport = nodes.transport(to: node) else { return }
        let fragments = try await transport.quarantined(limit: TransportLimits.maximumBatch)
        let blobs = try await metadata.blobs(Set(fragments.map(\.chunk.blob)).sorted())
        let byID = Dictionary(uniqueKeysWithValues: blobs.map { ($0.id, $0) })
        var wanted: [RepairRecord] = []
        var others: [FragmentInfo] = []
        for fragment in fragments {
            if let blob = byID[fragment.chunk.blob], isHome(node, of: fragment, in: blob) {
                wanted.append(
                    repairRecord(of: fragment, blob.redundancy, on: node, layoutVersion: blob.layoutVersion, reason: .corrupt))
            } else {
                others.append(FragmentInfo(id: fragment, byteCount: 0))
            }
        }
        if !wanted.isEmpty {
            try await metadata.enqueueRepairs(wanted)
            repairRequested.raise()
        }
        let unwanted = try await unwanted(among: others, on: node)
        if !unwanted.isEmpty { try await transport.delete(unwanted) }
    }
}
