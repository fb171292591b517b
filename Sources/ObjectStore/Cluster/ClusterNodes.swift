public import ChunkTransport
public import Core
public import Logging
public import Metadata
import Synchronization

/// The storage nodes of the cluster: how to reach each, and how it fares. Safe to use from any thread.
public final class ClusterNodes: Sendable {
    /// A node and the way to it.
    public struct Member: Sendable {
        public let record: NodeRecord
        public let transport: any ChunkTransport

        public init(record: NodeRecord, transport: any ChunkTransport) {
            self.record = record
            self.transport = transport
        }
    }

    private struct Entry {
        var member: Member
        var health: NodeHealth
        var information: NodeInformation?
        var lastSeenAt: Timestamp?
    }

    private let configuration: StoreConfiguration
    private let time: any TimeSource
    private let logger: Logger
    private let entries: Mutex<[NodeID: Entry]>
    /// Raised whenever a node that did not answer answers again.
    let nodeReturned = Signal()

    public init(members: [Member], configuration: StoreConfiguration, time: any TimeSource, logger: Logger) {
        self.configuration = configuration
        self.time = time
        self.logger = logger
        let health = NodeHealth(downAfter: configuration.downAfter)
        entries = Mutex(
            Dictionary(
                uniqueKeysWithValues: members.map { member in
                    (member.record.id, Entry(member: member, health: health))
                }))
    }

    public var ids: [NodeID] { entries.withLock { $0.keys.sorted() } }

    func transport(to id: NodeID) -> (any ChunkTransport)? { entries.withLock { $0[id]?.member.transport } }

    func peer(_ id: NodeID) -> Peer? { entries.withLock { $0[id].map { Peer(id: id, address: $0.member.record.address) } } }

    func state(of id: NodeID) -> NodeState {
        let now = time.monotonicNow()
        return entries.withLock { $0[id]?.health.state(at: now) ?? .down }
    }

    func ids(in state: NodeState) -> [NodeID] {
        let now = time.monotonicNow()
        return entries.withLock { entries in entries.filter { $0.value.health.state(at: now) == state }.map(\.key).sorted() }
    }

    /// `ids` with those that answer first, then those in doubt, then those that are down; otherwise in the order given.
    func byHealth(_ ids: [NodeID]) -> [NodeID] {
        let now = time.monotonicNow()
        let states = entries.withLock { entries in ids.map { entries[$0]?.health.state(at: now) ?? .down } }
        return [NodeState.up, .suspect, .down].flatMap { wanted in zip(ids, states).filter { $0.1 == wanted }.map(\.0) }
    }

    /// Takes note of a call that failed.
    func report(_ error: any Error, from id: NodeID) {
        guard let error = error as? NodeError, error.concernsWholeNode else { return }
        markFailed(id, reason: "\(error)")
    }

    private func markFailed(_ id: NodeID, reason: String) {
        let now = time.monotonicNow()
        let wasUp = entries.withLock { entries in
            let wasUp = entries[id]?.health.state(at: now) == .up
            entries[id]?.health.failed(at: now)
            return wasUp
        }
        if wasUp { logger.warning("storage node does not answer", metadata: ["node": "\(id)", "reason": "\(reason)"]) }
    }

    private func markSucceeded(_ id: NodeID, information: NodeInformation) {
        let now = time.monotonicNow()
        let seenAt = time.now()
        let returned = entries.withLock { entries in
            let returned = entries[id]?.health.state(at: now) != .up
            entries[id]?.health.succeeded(at: now)
            entries[id]?.information = information
            entries[id]?.lastSeenAt = seenAt
            return returned
        }
        if returned {
            logger.info("storage node is up", metadata: ["node": "\(id)"])
            nodeReturned.raise()
        }
    }

    /// Asks one node how it is, and takes note of the answer.
    func probe(_ id: NodeID) async {
        guard let transport = transport(to: id) else { return }
        do {
            let information = try await transport.information()
            guard information.id == id else {
                markFailed(id, reason: "another node, \(information.id), answers at its address")
                return
            }
            markSucceeded(id, information: information)
        } catch is CancellationError {
        } catch {
            markFailed(id, reason: "\(error)")
        }
    }

    /// Probes every node once, side by side.
    public func probeAll() async {
        await withDiscardingTaskGroup { group in
            for id in ids { group.addTask { await self.probe(id) } }
        }
    }

    /// Keeps probing every node until the task is cancelled.
    func probeForever() async {
        await withDiscardingTaskGroup { group in
            for id in ids {
                group.addTask {
                    while !Task.isCancelled {
                        await self.probe(id)
                        let interval = self.state(of: id) == .up ? self.configuration.probeInterval : self.configuration.failedProbeInterval
                        do { try await self.time.sleep(for: interval) } catch { return }
                    }
                }
            }
        }
    }

    func status() -> [NodeStatus] {
        let now = time.monotonicNow()
        return entries.withLock { entries in
            entries.values.sorted { $0.member.record.id < $1.member.record.id }.map { entry in
                NodeStatus(
                    id: entry.member.record.id, address: entry.member.record.address, zone: entry.member.record.zone,
                    state: entry.health.state(at: now), version: entry.information?.version ?? "",
                    capacityBytes: entry.information?.capacityBytes ?? 0, availableBytes: entry.information?.availableBytes ?? 0,
                    usedBytes: entry.information?.usedBytes ?? 0, fragmentCount: entry.information?.fragmentCount ?? 0,
                    quarantinedCount: entry.information?.quarantinedCount ?? 0, lastSeenAt: entry.lastSeenAt)
            }
        }
    }
}
