public import ChunkTransport
public import Core
public import Logging
public import Metadata
import Synchronization

/// The storage nodes of the cluster: how to reach each, and how it fares. Safe to use from any thread.
public final class ClusterNodes: Sendable {
    /// A node and the way to it.
    public struct Member: Sendable {
        public var record: NodeRecord
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

        func state(at now: MonotonicInstant) -> NodeState {
            guard member.record.membership.isPresent else { return .left }
            let health = health.state(at: now)
            if health == .up, member.record.membership == .draining { return .draining }
            // Its disk may be failing by its own account, though calls still succeed.
            return health == .up && information?.isFailing == true ? .failing : health
        }
    }

    private let configuration: StoreConfiguration
    private let time: any TimeSource
    private let logger: Logger
    private let entries: Mutex<[NodeID: Entry]>
    /// Raised whenever a node that did not answer answers again.
    let nodeReturned = Signal()
    /// Raised when a node was added.
    private let nodeAdded = Signal()
    /// Nodes whose process is another than before.
    private let restarted = Mutex<Set<NodeID>>([])

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

    /// All that belong to the cluster, draining ones among them.
    public var ids: [NodeID] {
        entries.withLock { entries in entries.filter { $0.value.member.record.membership.isPresent }.map(\.key).sorted() }
    }

    /// All that are remembered, those that have left among them.
    var records: [NodeRecord] { entries.withLock { $0.values.map(\.member.record).sorted { $0.id < $1.id } } }

    func record(of id: NodeID) -> NodeRecord? { entries.withLock { $0[id]?.member.record } }

    /// What a node last said of itself.
    func information(on id: NodeID) -> NodeInformation? { entries.withLock { $0[id]?.information } }

    /// Adds a node, or changes what is known of it and how it is reached.
    func update(_ member: Member, information: NodeInformation? = nil) {
        let now = time.monotonicNow()
        let seenAt = time.now()
        let isNew = entries.withLock { entries in
            let isNew = entries[member.record.id] == nil
            var entry = entries[member.record.id] ?? Entry(member: member, health: NodeHealth(downAfter: configuration.downAfter))
            entry.member = member
            if let information {
                entry.information = information
                entry.lastSeenAt = seenAt
                entry.health.succeeded(at: now)
            }
            entries[member.record.id] = entry
            return isNew
        }
        if isNew { nodeAdded.raise() }
    }

    func update(_ record: NodeRecord) { entries.withLock { $0[record.id]?.member.record = record } }

    func transport(to id: NodeID) -> (any ChunkTransport)? { entries.withLock { $0[id]?.member.transport } }

    func peer(_ id: NodeID) -> Peer? { entries.withLock { $0[id].map { Peer(id: id, address: $0.member.record.address) } } }

    /// How a node answers, member or not: up, failing, suspect or down.
    func health(of id: NodeID) -> NodeState {
        let now = time.monotonicNow()
        return entries.withLock { $0[id]?.health.state(at: now) ?? .down }
    }

    /// Whether a node answers, whatever its disk does.
    func isAnswering(_ id: NodeID) -> Bool { [.up, .failing].contains(health(of: id)) }

    /// Since when a node has not answered, or its disk has failed; nil when all is well.
    func failingSince(_ id: NodeID) -> MonotonicInstant? { entries.withLock { $0[id]?.health.failingSince } }

    /// What a node is to the cluster: one that is up takes new fragments.
    func state(of id: NodeID) -> NodeState {
        let now = time.monotonicNow()
        return entries.withLock { $0[id]?.state(at: now) ?? .left }
    }

    func ids(in state: NodeState) -> [NodeID] {
        let now = time.monotonicNow()
        return entries.withLock { entries in entries.filter { $0.value.state(at: now) == state }.map(\.key).sorted() }
    }

    /// `ids` with those that are up first, then those whose disk fails, those in doubt, and those that are down; otherwise in the order
    /// given.
    func byHealth(_ ids: [NodeID]) -> [NodeID] {
        let now = time.monotonicNow()
        let states = entries.withLock { entries in ids.map { entries[$0]?.health.state(at: now) ?? .down } }
        return [NodeState.up, .failing, .suspect, .down].flatMap { wanted in zip(ids, states).filter { $0.1 == wanted }.map(\.0) }
    }

    /// Takes note of a call that failed.
    func report(_ error: any Error, from id: NodeID) {
        guard let error = error as? NodeError, error.concernsWholeNode else { return }
        if case .storageFailure(let detail) = error { noteDiskFailure(of: id, detail) } else { markFailed(id, reason: "\(error)") }
    }

    private func noteDiskFailure(of id: NodeID, _ detail: String) {
        let now = time.monotonicNow()
        let wasUp = entries.withLock { entries in
            let wasUp = entries[id]?.health.state(at: now) == .up
            entries[id]?.health.diskFailed(at: now)
            return wasUp
        }
        if wasUp {
            logger.error("the disk of a storage node fails: it gets nothing new", metadata: ["node": "\(id)", "reason": "\(detail)"])
        }
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
        let (returned, hasRestarted) = entries.withLock { entries in
            let wasAnswering = [.up, .failing].contains(entries[id]?.health.state(at: now))
            let hasRestarted = entries[id]?.information.map { $0.instance != information.instance } ?? false
            entries[id]?.health.succeeded(at: now)
            if hasRestarted { entries[id]?.health.restarted(at: now) }
            entries[id]?.information = information
            entries[id]?.lastSeenAt = seenAt
            return (!wasAnswering, hasRestarted)
        }
        if let disk = information.disks.first(where: { $0.state == .failing }) { noteDiskFailure(of: id, "by its own account: \(disk)") }
        if hasRestarted { restarted.withLock { _ = $0.insert(id) } }
        if returned {
            logger.info("storage node answers", metadata: ["node": "\(id)"])
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
            var probed: Set<NodeID> = []
            repeat {
                for record in records where probed.insert(record.id).inserted {
                    group.addTask { await self.probeForever(record.id) }
                }
            } while (try? await nodeAdded.wait()) != nil
        }
    }

    private func probeForever(_ id: NodeID) async {
        await withDiscardingTaskGroup { group in
            while !Task.isCancelled {
                await probe(id)
                // A disk that hangs must not keep anybody from hearing whether the node answers.
                if beginTrial(of: id) { group.addTask { await self.tryDisk(of: id) } }
                do { try await time.sleep(for: probeInterval(of: id)) } catch { return }
            }
        }
    }

    private func beginTrial(of id: NodeID) -> Bool {
        let now = time.monotonicNow()
        return entries.withLock { $0[id]?.health.beginTrial(at: now) ?? false }
    }

    /// Half open: what this call comes to decides whether the node gets others again.
    private func tryDisk(of id: NodeID) async {
        guard let transport = transport(to: id) else { return }
        let failure: NodeError?
        do { failure = try await DiskTrial(node: transport, time: time).failure() } catch { return }
        let now = time.monotonicNow()
        entries.withLock { entries in
            if failure == nil { entries[id]?.health.trialSucceeded(at: now) } else { entries[id]?.health.trialFailed(at: now) }
        }
        if let failure {
            logger.warning("the disk of a storage node still fails", metadata: ["node": "\(id)", "reason": "\(failure)"])
        } else {
            logger.notice("the disk of a storage node works again", metadata: ["node": "\(id)"])
            nodeReturned.raise()
        }
    }

    private func probeInterval(of id: NodeID) -> Duration {
        switch state(of: id) {
        case .up, .joining, .draining, .failing: configuration.probeInterval
        case .suspect, .down: configuration.failedProbeInterval
        case .left: configuration.absentProbeInterval
        }
    }

    /// The nodes that have restarted since this was asked last: what they have may be less than it was.
    func takeRestarted() -> Set<NodeID> {
        restarted.withLock { restarted in
            defer { restarted = [] }
            return restarted
        }
    }

    func status() -> [NodeStatus] {
        let now = time.monotonicNow()
        return entries.withLock { entries in
            entries.values.sorted { $0.member.record.id < $1.member.record.id }.map { entry in
                NodeStatus(
                    id: entry.member.record.id, address: entry.member.record.address, zone: entry.member.record.zone,
                    weight: entry.member.record.weight, state: entry.state(at: now),
                    isLost: entry.member.record.membership == .lost, version: entry.information?.version ?? "",
                    capacityBytes: entry.information?.capacityBytes ?? 0, availableBytes: entry.information?.availableBytes ?? 0,
                    usedBytes: entry.information?.usedBytes ?? 0, fragmentCount: entry.information?.fragmentCount ?? 0,
                    quarantinedCount: entry.information?.quarantinedCount ?? 0, disks: entry.information?.disks ?? [],
                    lastSeenAt: entry.lastSeenAt)
            }
        }
    }
}

extension NodeRecord.Membership {
    /// Whether the node holds fragments that count.
    var isPresent: Bool {
        switch self {
        case .member, .draining: true
        case .left, .lost: false
        }
    }
}
