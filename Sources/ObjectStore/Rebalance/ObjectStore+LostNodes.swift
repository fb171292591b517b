internal import Core
internal import Logging
internal import Metadata
internal import Placement

/// Nodes that stay away are taken out of the layout, so that their fragments are restored elsewhere; when they come back they
/// are members again.
extension ObjectStore {
    /// Watches the members until the task is cancelled.
    func watchMembersForever() async {
        while !Task.isCancelled {
            do {
                try await time.sleep(for: configuration.probeInterval)
                if !background.isPaused { try await reviewMembers() }
            } catch is CancellationError {
                return
            } catch {
                logger.error("a change of members failed", metadata: ["error": "\(error)"])
            }
        }
    }

    func reviewMembers() async throws {
        for record in nodes.records {
            switch record.membership {
            case .member where isLost(record.id): try await change(record.id, from: .member, to: .lost)
            case .lost where nodes.health(of: record.id) == .up: try await change(record.id, from: .lost, to: .member)
            case .member, .draining, .left, .lost: break
            }
        }
    }

    /// Whether a member has been away for the grace time, or its disk has failed for so long, and can be done without.
    ///
    /// One that cannot see most of the others is itself the one that is cut off, and changes nothing.
    private func isLost(_ id: NodeID) -> Bool {
        guard let since = nodes.failingSince(id), time.monotonicNow() - since >= configuration.nodeGrace else { return false }
        let members = nodes.records.filter { $0.membership == .member }
        let answering = members.count { nodes.isAnswering($0.id) }
        return answering * 2 > members.count && members.count - 1 >= map.current.replicas
    }

    private func change(_ id: NodeID, from: NodeRecord.Membership, to: NodeRecord.Membership) async throws {
        try await layoutChanges.withPermit {
            guard var record = nodes.record(of: id), record.membership == from, to != .lost || isLost(id) else { return }
            record.membership = to
            let layout = try nextLayout(with: record)
            try await adopt(layout, with: record)
            let reason = nodes.isAnswering(id) ? "the disk of a storage node has failed" : "storage node has been away"
            logger.notice(
                to == .lost ? "\(reason) for too long: its fragments are restored elsewhere" : "storage node is back",
                metadata: ["node": "\(id)", "address": "\(record.address)", "layout": "\(layout.version)"])
            // It may have what was deleted while it was away.
            if to == .member { sweepRequested.raise() }
        }
    }
}
