internal import ChunkTransport
internal import Core
internal import Logging
internal import Metadata
internal import Placement

/// The sweep: compares what the nodes hold with what the metadata knows. It removes what nobody knows of, and what a node
/// has of blobs that are whole elsewhere; what a node should have and has not is queued for repair.
///
/// This is what collects the leftovers of an upload that a crash of the distributor ended. Where one distributor has the
/// metadata to itself, nothing from before its start can still be in flight; what is younger, and all where others may be
/// writing, must have reached the grace age and must not be in flight here. After a restore of the metadata from a backup nothing is an orphan for some days.
extension ObjectStore {
    private static let pageSize = 1_000

    func sweepForever() async {
        var due = Set(nodes.ids)
        var next = time.monotonicNow() + configuration.sweepInterval
        while !Task.isCancelled {
            // A node that is away is swept when it is back.
            for node in due.sorted() where nodes.health(of: node) == .up {
                do {
                    let (removed, missing) = try await sweep(node)
                    if removed > 0 { logger.info("orphans removed", metadata: ["node": "\(node)", "fragments": "\(removed)"]) }
                    if missing > 0 { logger.warning("fragments are missing", metadata: ["node": "\(node)", "fragments": "\(missing)"]) }
                    due.remove(node)
                } catch is CancellationError {
                    return
                } catch {
                    nodes.report(error, from: node)
                    logger.warning("sweep of a node failed", metadata: ["node": "\(node)", "error": "\(error)"])
                }
            }
            guard let requested = try? await sweepRequested.wait(atMost: configuration.backgroundInterval, time: time) else { return }
            due = due.union(nodes.takeRestarted()).intersection(nodes.ids)
            guard requested || time.monotonicNow() >= next else { continue }
            due = Set(nodes.ids)
            next = time.monotonicNow() + configuration.sweepInterval
        }
    }

    /// - Returns: how many fragments were removed, and how many are missing.
    func sweep(_ node: NodeID) async throws -> (removed: Int, missing: Int) {
        guard let transport = nodes.transport(to: node) else { return (0, 0) }
        let sliceCount = Inventory.sliceCount(fragments: nodes.information(on: node)?.fragmentCount ?? 0)
        var (removed, missing) = (0, 0)
        for slice in 0..<sliceCount {
            let listedFrom = time.now()
            var inventory = Inventory(slice: slice, of: sliceCount)
            var cursor: ListCursor?
            repeat {
                let page = try await transport.list(after: cursor, limit: Self.pageSize)
                for fragment in page.fragments { inventory.insert(fragment.id) }
                cursor = page.next
                guard slice == 0 else { continue }
                let unwanted = try await unwanted(among: page.fragments, on: node)
                for start in stride(from: 0, to: unwanted.count, by: TransportLimits.maximumBatch) {
                    try await transport.delete(Array(unwanted[start..<min(start + TransportLimits.maximumBatch, unwanted.count)]))
                }
                removed += unwanted.count
            } while cursor != nil
            missing += try await requestMissing(on: node, inventory: inventory, listedFrom: listedFrom)
        }
        return (removed, missing)
    }

    /// What a node has and should not have.
    func unwanted(among fragments: [FragmentInfo], on node: NodeID) async throws -> [FragmentID] {
        guard !fragments.isEmpty else { return [] }
        return try await orphans(among: fragments) + misplaced(among: fragments, on: node)
    }

    private func orphans(among fragments: [FragmentInfo]) async throws -> [FragmentID] {
        if let orphansKeptUntil, time.now() < orphansKeptUntil { return [] }
        let graceEnd = time.now().advanced(by: .zero - configuration.orphanGrace)
        // Order matters: an upload leaves the active ones only after its commit, so what is not active now and not
        // known after that was never committed.
        let settledBefore = metadata.isExclusive ? max(startedAt, graceEnd) : graceEnd
        let candidates = Set(fragments.map(\.id.chunk.blob)).filter { !activeBlobs.contains($0) && $0.uuid.time < settledBefore }
        guard !candidates.isEmpty else { return [] }
        let known = try await metadata.knownBlobs(among: candidates.sorted())
        let unknown = candidates.subtracting(known)
        return fragments.map(\.id).filter { unknown.contains($0.chunk.blob) }
    }

    /// Fragments that the node has and that the layout of their blob gives to others, all of which have theirs: what a move or
    /// a node that covered for another left.
    private func misplaced(among fragments: [FragmentInfo], on node: NodeID) async throws -> [FragmentID] {
        let current = map.current
        let candidates = fragments.map(\.id).filter { !activeBlobs.contains($0.chunk.blob) }
        guard !candidates.isEmpty else { return [] }
        let ids = Set(candidates.map(\.chunk.blob)).sorted()
        let inRepair = try await metadata.blobsInRepair(among: ids)
        let settled = try await metadata.blobs(ids).filter { $0.layoutVersion == current.version && !inRepair.contains($0.id) }
        let byID = Dictionary(uniqueKeysWithValues: settled.map { ($0.id, $0) })
        var misplaced: [FragmentID] = []
        for fragment in candidates {
            guard let blob = byID[fragment.chunk.blob], !isHome(node, of: fragment, in: blob) else { continue }
            if await isWhole(fragment, of: blob, in: current) { misplaced.append(fragment) }
        }
        return misplaced
    }

    /// Whether every node that should have the fragment has it intact. One that says that it has not is told to get it.
    private func isWhole(_ fragment: FragmentID, of blob: BlobRecord, in layout: Layout) async -> Bool {
        let homes = map.homes(of: fragment.chunk, blob.redundancy, in: layout).filter { $0.fragment == fragment }
        // While nobody has a place for it, whoever has it keeps it.
        guard !homes.isEmpty else { return false }
        var isWhole = true
        for home in homes {
            guard let transport = nodes.transport(to: home.node) else { return false }
            do {
                guard try await transport.stat(fragment) == nil else { continue }
                requestRepair(of: fragment, blob.redundancy, on: home.node, layoutVersion: layout.version, reason: .missing)
            } catch {
                nodes.report(error, from: home.node)
            }
            isWhole = false
        }
        return isWhole
    }
}
