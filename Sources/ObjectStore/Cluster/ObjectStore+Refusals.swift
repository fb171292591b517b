internal import ChunkTransport
internal import Core
internal import ErasureCoding
internal import Metadata
internal import Placement

/// Which changes of the cluster are not made unless they are forced, and why.
extension ObjectStore {
    func refuseIfUnsafe(_ change: LayoutChange, layout: Layout, plan: LayoutPlan) async throws {
        switch change {
        case .drain(let node):
            try await refuseFewerCopies(layout)
            let available = layout.members.reduce(Int64(0)) { $0 + (nodes.information(on: $1.node)?.availableBytes ?? 0) }
            let needed = max(plan.movedBytes, nodes.information(on: node)?.liveBytes ?? 0)
            guard needed <= available else {
                throw AdministrationError.refused(
                    detail: "\(needed) bytes have to move and the other nodes have room for \(available)")
            }
            try await refuseTooLittleRoom(change, layout)
        case .remove(let node):
            try await refuseFewerCopies(layout)
            let lost = try await partitionsHeldOnly(by: node)
            guard lost == 0 else {
                throw AdministrationError.refused(
                    detail: "no other node that answers holds \(lost) of \(layout.partitionCount) partitions: what is in them would be lost"
                )
            }
        case .setWeight, .restore: try await refuseTooLittleRoom(change, layout)
        }
    }

    // MARK: Room

    /// Compares what each member would get with the room that it has. One that has not answered yet is not judged.
    private func refuseTooLittleRoom(_ change: LayoutChange, _ layout: Layout) async throws {
        let arrivals = try await arrivals(in: layout)
        var worst: (node: NodeID, needed: Int64, room: Int64)?
        for member in layout.members {
            guard let needed = arrivals[member.node], let information = nodes.information(on: member.node) else { continue }
            // One that comes back still has what it had, or makes room for it.
            let room = information.availableBytes + (change == .restore(member.node) ? information.liveBytes : 0)
            guard needed > room, needed - room > worst.map({ $0.needed - $0.room }) ?? 0 else { continue }
            worst = (member.node, needed, room)
        }
        guard let worst else { return }
        throw AdministrationError.refused(detail: "node \(worst.node) would get \(worst.needed) bytes and has room for \(worst.room)")
    }

    /// Bytes that each member would get that it does not have, as far as hashing spreads the blobs evenly: of those that follow
    /// the current layout, and of those that still follow an older one.
    private func arrivals(in layout: Layout) async throws -> [NodeID: Int64] {
        let current = map.current
        let (all, late) = try await committing {
            (try await self.metadata.unmoved(before: .max), try await self.metadata.unmoved(before: current.version))
        }
        let oldest = late.oldestVersion.flatMap(map.layout) ?? current
        var arrivals: [NodeID: Double] = [:]
        for (storageClass, totals) in all.classes {
            let lateBytes = late.byClass[storageClass.description]?.byteCount ?? 0
            for (origin, byteCount) in [(current, totals.byteCount - lateBytes), (oldest, lateBytes)] where byteCount > 0 {
                let share = Double(storageClass.fragmentBytes(of: byteCount)) / Double(layout.partitionCount)
                for (node, count) in newFragments(of: storageClass, in: layout, comparedWith: origin) {
                    arrivals[node, default: 0] += share * Double(count)
                }
            }
        }
        return arrivals.mapValues { Int64($0) }
    }

    /// In how many partitions each node has a fragment of a class in `layout` that it has not in `origin`.
    private func newFragments(
        of storageClass: StorageClass, in layout: Layout, comparedWith origin: Layout
    ) -> [NodeID: Int] {
        let isCoded = storageClass.fragmentNumbers.count > 1
        var counts: [NodeID: Int] = [:]
        for partition in 0..<layout.partitionCount {
            let before = map.nodes(of: partition, storageClass, in: origin)
            for (number, node) in map.nodes(of: partition, storageClass, in: layout).enumerated() {
                guard let node, isCoded ? before[number] != node : !before.contains(node) else { continue }
                counts[node, default: 0] += 1
            }
        }
        return counts
    }

    // MARK: Copies

    private func refuseFewerCopies(_ layout: Layout) async throws {
        let copies = map.current.replicas
        guard layout.replicas >= copies else {
            throw AdministrationError.refused(
                detail: "\(layout.members.count) nodes would be left: of everything, \(layout.replicas) instead of \(copies) copies")
        }
        let blobs = try await committing { try await self.metadata.unmoved(before: .max) }
        for (storageClass, totals) in blobs.classes {
            let width = map.nodes(of: 0, storageClass, in: map.current).count { $0 != nil }
            guard layout.members.count >= width else {
                throw AdministrationError.refused(
                    detail: "\(layout.members.count) nodes would be left: too few for \(totals.byteCount) bytes stored as \(storageClass)")
            }
        }
    }

    /// Partitions, with something in them, of which too little could be reached without a node, under any layout in use.
    private func partitionsHeldOnly(by node: NodeID) async throws -> Int {
        let current = map.current
        let blobs = try await committing { try await self.metadata.unmoved(before: .max) }
        let reachable = Set(nodes.ids.filter { $0 != node && nodes.health(of: $0) != .down })
        let layouts = ((blobs.oldestVersion ?? current.version)...current.version).compactMap(map.layout)
        let classes = blobs.classes.map(\.storageClass)
        return (0..<current.partitionCount).count { partition in
            layouts.contains { layout in
                classes.contains { storageClass in
                    let holders = map.nodes(of: partition, storageClass, in: layout)
                    let needed = if case .coded(let code) = storageClass { code.dataCount } else { 1 }
                    return holders.contains(node) && holders.count { $0.map(reachable.contains) ?? false } < needed
                }
            }
        }
    }
}

extension StorageClass {
    /// Bytes of one fragment of every chunk of so many bytes of content.
    fileprivate func fragmentBytes(of byteCount: Int64) -> Int64 {
        guard case .coded(let code) = self else { return byteCount }
        return byteCount / Int64(code.dataCount)
    }
}
