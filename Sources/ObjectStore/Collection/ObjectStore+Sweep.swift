internal import ChunkTransport
internal import Core
internal import Logging
internal import Metadata

/// The sweep: compares what the nodes hold with what the metadata knows, and removes what nobody knows of.
///
/// This is what collects the leftovers of an upload that a crash of the distributor ended. One distributor owns the
/// metadata at a time, so nothing from before its start can still be in flight; what is younger must have reached the
/// grace age and must not be in flight here.
extension ObjectStore {
    private static let pageSize = 1_000

    func sweepForever() async {
        while !Task.isCancelled {
            for node in nodes.ids {
                do {
                    // A node that is away is swept when it is back.
                    while nodes.state(of: node) != .up { try await time.sleep(for: configuration.probeInterval) }
                    let removed = try await sweep(node)
                    if removed > 0 { logger.info("orphans removed", metadata: ["node": "\(node)", "fragments": "\(removed)"]) }
                } catch is CancellationError {
                    return
                } catch {
                    nodes.report(error, from: node)
                    logger.warning("sweep of a node failed", metadata: ["node": "\(node)", "error": "\(error)"])
                }
            }
            do { try await time.sleep(for: configuration.sweepInterval) } catch { return }
        }
    }

    /// - Returns: how many fragments were removed.
    func sweep(_ node: NodeID) async throws -> Int {
        guard let transport = nodes.transport(to: node) else { return 0 }
        var removed = 0
        var cursor: ListCursor?
        repeat {
            let page = try await transport.list(after: cursor, limit: Self.pageSize)
            let orphans = try await orphans(among: page.fragments)
            for start in stride(from: 0, to: orphans.count, by: TransportLimits.maximumBatch) {
                try await transport.delete(Array(orphans[start..<min(start + TransportLimits.maximumBatch, orphans.count)]))
            }
            removed += orphans.count
            cursor = page.next
        } while cursor != nil
        return removed
    }

    private func orphans(among fragments: [FragmentInfo]) async throws -> [FragmentID] {
        let graceEnd = time.now().advanced(by: .zero - configuration.orphanGrace)
        // Order matters: an upload leaves the active ones only after its commit, so what is not active now and not
        // known after that was never committed.
        let candidates = Set(fragments.map(\.id.chunk.blob)).filter { blob in
            !activeBlobs.contains(blob) && (blob.uuid.time < startedAt || blob.uuid.time < graceEnd)
        }
        guard !candidates.isEmpty else { return [] }
        let known = try await metadata.knownBlobs(among: candidates.sorted())
        let unknown = candidates.subtracting(known)
        return fragments.map(\.id).filter { unknown.contains($0.chunk.blob) }
    }
}
