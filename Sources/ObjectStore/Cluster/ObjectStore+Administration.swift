internal import ChunkTransport
public import Core
internal import ErasureCoding
internal import Logging
internal import Metadata
internal import Placement

/// Changes of the cluster: one at a time, each saved in one transaction before anybody works by it.
extension ObjectStore: ClusterAdministration {
    static let pausedFlag = "background-paused"

    public func layoutStatus() async throws -> LayoutStatus {
        let layout = map.current
        return LayoutStatus(
            version: layout.version, partitionCount: layout.partitionCount, replicas: layout.replicas, members: layout.memberStatus)
    }

    public func plan(_ change: LayoutChange) async throws -> LayoutPlan {
        let (_, layout) = try proposal(change)
        var plan = try await plan(layout)
        do {
            try await refuseIfUnsafe(change, layout: layout, plan: plan)
        } catch AdministrationError.refused(let detail) {
            plan.refusal = detail
        }
        return plan
    }

    public func planAddition(at address: String) async throws -> LayoutPlan {
        let information = try await asking(address) { try await connect(address).information() }
        if let other = information.cluster, other != cluster { throw foreign(address, belongsTo: other) }
        if let known = nodes.record(of: information.id), known.membership.isPresent {
            throw AdministrationError.invalid(detail: "node \(known.id) is \(known.membership.rawValue)")
        }
        return try await plan(try nextLayout(with: admitted(information, at: address)))
    }

    public func apply(_ change: LayoutChange, force: Bool) async throws -> LayoutPlan {
        try await layoutChanges.withPermit {
            let (record, layout) = try proposal(change)
            let plan = try await plan(layout)
            if !force { try await refuseIfUnsafe(change, layout: layout, plan: plan) }
            if case .restore = change { try await requireAnswer(of: record) }
            try await adopt(layout, with: record)
            logger.notice("layout changed", metadata: ["change": "\(change)", "version": "\(layout.version)"])
            return plan
        }
    }

    public func setBackgroundPaused(_ isPaused: Bool) async throws {
        try await committing { try await self.metadata.setFlag(named: Self.pausedFlag, to: isPaused) }
        background.setPaused(isPaused)
        logger.notice(isPaused ? "background movement paused" : "background movement resumed")
    }

    // MARK: Members

    public func addNode(at address: String) async throws -> NodeID {
        let (transport, information) = try await claim(address)
        try await admit(information, at: address, transport: transport, isOrdered: true)
        return information.id
    }

    public func join(_ request: JoinRequest) async throws -> JoinAnswer {
        let answer = { JoinAnswer(cluster: self.cluster, layoutVersion: self.map.current.version) }
        // A node that says what is known needs no more than an answer.
        if let known = nodes.record(of: request.node), known.address == request.address, known.membership.isPresent,
            nodes.information(on: request.node)?.instance == request.instance, nodes.isAnswering(request.node)
        {
            return answer()
        }
        let (transport, information) = try await claim(request.address)
        guard information.id == request.node, information.instance == request.instance else {
            throw AdministrationError.notAdmitted(detail: "another node, \(information.id), answers at \(request.address)")
        }
        try await admit(information, at: request.address, transport: transport, isOrdered: false)
        return answer()
    }

    /// Asks the node at an address to be of this cluster.
    private func claim(_ address: String) async throws -> (any ChunkTransport, NodeInformation) {
        try await asking(address) {
            let transport = try connect(address)
            return (transport, try await transport.claim(for: cluster))
        }
    }

    /// Runs a call to the node at an address; why it refuses becomes the operator's error.
    private func asking<Value>(_ address: String, _ body: () async throws -> Value) async throws -> Value {
        do {
            return try await body()
        } catch NodeError.unauthenticated {
            throw AdministrationError.notAdmitted(detail: "the storage node at \(address) has another cluster secret")
        } catch NodeError.incompatible(let detail) {
            throw AdministrationError.notAdmitted(detail: "the storage node at \(address) refuses this distributor: \(detail)")
        } catch NodeError.wrongCluster(_, let other) {
            throw foreign(address, belongsTo: other)
        } catch let error as NodeError {
            throw AdministrationError.unreachable(address: address, detail: error.reason)
        }
    }

    private func foreign(_ address: String, belongsTo other: ClusterID) -> AdministrationError {
        .notAdmitted(detail: "the storage node at \(address) belongs to cluster \(other), this is cluster \(cluster)")
    }

    /// The record of a node that is, or is again, a member.
    private func admitted(_ information: NodeInformation, at address: String) -> NodeRecord {
        let known = nodes.record(of: information.id)
        let membership = known.flatMap { $0.membership.isPresent ? $0.membership : nil } ?? .member
        return NodeRecord(
            id: information.id, address: address, zone: information.zone, addedAt: known?.addedAt ?? time.now(),
            weight: known?.weight ?? 1, membership: membership)
    }

    /// Makes a node that answers a member, or takes note of where it is now.
    /// - Parameter isOrdered: whether a person asked: then a node that was removed is taken back.
    private func admit(
        _ information: NodeInformation, at address: String, transport: any ChunkTransport, isOrdered: Bool
    ) async throws {
        try await layoutChanges.withPermit {
            let known = nodes.record(of: information.id)
            if let known, known.address != address, try await isAlive(known, otherThan: information) { return }
            if let known, known.membership == .left, !isOrdered {
                // Where it is now, so that it can be taken back.
                let record = NodeRecord(
                    id: known.id, address: address, zone: known.zone, addedAt: known.addedAt, weight: known.weight, membership: .left)
                if record != known { try await committing { try await self.metadata.saveNode(record) } }
                nodes.update(ClusterNodes.Member(record: record, transport: transport), information: information)
                throw AdministrationError.removed(known.id)
            }
            let isBack = known.map { !$0.membership.isPresent } ?? true
            let record = admitted(information, at: address)
            let member = ClusterNodes.Member(record: record, transport: transport)
            guard isBack || known?.zone != record.zone else {
                if known != record { try await committing { try await self.metadata.saveNode(record) } }
                nodes.update(member, information: information)
                return
            }
            let layout = try nextLayout(with: record)
            // Reachable before anybody is sent there.
            nodes.update(member, information: information)
            try await adopt(layout, with: record)
            logger.notice(
                "storage node is a member", metadata: ["node": "\(record.id)", "address": "\(address)", "layout": "\(layout.version)"])
        }
    }

    /// Whether the node that was known answers where it was known: the same process, under another name of its.
    /// - Throws: ``AdministrationError/notAdmitted(detail:)`` when it is another process.
    private func isAlive(_ known: NodeRecord, otherThan information: NodeInformation) async throws -> Bool {
        guard let transport = nodes.transport(to: known.id), let there = try? await transport.information(), there.id == known.id else {
            return false
        }
        guard there.instance == information.instance else {
            throw AdministrationError.notAdmitted(
                detail: "node \(known.id) is alive at \(known.address): this one has a copy of its data directory")
        }
        return true
    }

    // MARK: Layouts

    /// The record that a change alters, and the layout that follows.
    private func proposal(_ change: LayoutChange) throws -> (NodeRecord, Layout) {
        guard var record = nodes.record(of: change.node) else { throw AdministrationError.unknownNode(change.node) }
        switch (change, record.membership) {
        case (.drain, .member): record.membership = .draining
        case (.drain, .draining), (.drain, .left), (.drain, .lost), (.remove, .left), (.setWeight, .left), (.restore, .member):
            throw AdministrationError.invalid(detail: "node \(record.id) is \(record.membership.rawValue)")
        case (.remove, _): record.membership = .left
        case (.restore, _): record.membership = .member
        case (.setWeight(_, let weight), _):
            guard LayoutChange.acceptsWeight(weight) else {
                throw AdministrationError.invalid(
                    detail: "a weight of \(weight): more than 0 and at most \(Int(LayoutChange.largestWeight)) is accepted")
            }
            record.weight = weight
        }
        return (record, try nextLayout(with: record))
    }

    func nextLayout(with record: NodeRecord) throws -> Layout {
        let members = (nodes.records.filter { $0.id != record.id } + [record]).filter { $0.membership == .member }
        guard !members.isEmpty else { throw AdministrationError.invalid(detail: "no node would be left") }
        do {
            return try map.current.next(
                members: members.map(LayoutMember.init), replicas: configuration.replicas,
                codedWidths: configuration.codedWidths(memberCount: members.count))
        } catch {
            throw AdministrationError.invalid(detail: "no layout can be made: \(error)")
        }
    }

    /// The current layout, or one that follows and has places for the class.
    func layout(for storageClass: StorageClass) async throws -> Layout {
        guard case .coded(let code) = storageClass, !map.current.codedWidths.contains(code.width) else { return map.current }
        return try await layoutChanges.withPermit {
            let current = map.current
            if current.codedWidths.contains(code.width) { return current }
            let layout: Layout
            do {
                layout = try current.next(members: current.members, replicas: configuration.replicas, codedWidths: [code.width])
            } catch {
                throw StoreError.notEnoughNodes(available: current.members.count, required: code.width)
            }
            try await adopt(layout, with: nil)
            logger.notice("layout has places for an erasure code", metadata: ["code": "\(code)", "version": "\(layout.version)"])
            return layout
        }
    }

    /// Saves a layout and the node that changes with it, and works by them from then on.
    func adopt(_ layout: Layout, with record: NodeRecord?) async throws {
        try await committing {
            try await self.metadata.saveLayout(
                version: layout.version, encoded: layout.encoded(), nodes: record.map { [$0] } ?? [], at: self.time.now())
        }
        if let record { nodes.update(record) }
        map.adopt(layout)
        rebalance.noteNewLayout()
        rebalanceRequested.raise()
    }

    private func plan(_ layout: Layout) async throws -> LayoutPlan {
        let current = map.current
        let blobs = try await committing { try await self.metadata.unmoved(before: .max) }
        return LayoutPlan(
            fromVersion: current.version, toVersion: layout.version, movedPartitions: layout.movedFragments(from: current),
            leastPartitions: layout.leastMovement(from: current), movedBytes: layout.movedBytes(of: blobs, from: current),
            members: layout.memberStatus)
    }

    private func requireAnswer(of record: NodeRecord) async throws {
        guard let transport = nodes.transport(to: record.id) else { throw AdministrationError.unknownNode(record.id) }
        _ = try await asking(record.address) { try await transport.claim(for: cluster) }
    }
}

extension LayoutChange {
    var node: NodeID {
        switch self {
        case .drain(let node), .remove(let node), .setWeight(let node, _), .restore(let node): node
        }
    }
}

extension Layout {
    /// Copies of partitions by node.
    private var holdings: [NodeID: Int] {
        (0..<partitionCount).reduce(into: [:]) { counts, partition in
            for node in nodes(of: partition) { counts[node, default: 0] += 1 }
        }
    }

    fileprivate var memberStatus: [LayoutMemberStatus] {
        let holdings = holdings
        return members.map {
            LayoutMemberStatus(node: $0.node, weight: $0.weight, zone: $0.zone, partitions: holdings[$0.node] ?? 0)
        }
    }

    /// The least that must move to give every node as many partitions as this layout does.
    fileprivate func leastMovement(from old: Layout) -> Int {
        let before = old.holdings
        return holdings.reduce(0) { $0 + max(0, $1.value - (before[$1.key] ?? 0)) }
    }
}

extension UnmovedBlobs {
    var classes: [(storageClass: StorageClass, totals: BlobTotals)] {
        byClass.sorted { $0.key < $1.key }.compactMap { name, totals in StorageClass(name).map { ($0, totals) } }
    }
}

extension Layout {
    /// Bytes of fragments that move when this layout follows `old`, as far as hashing spreads the blobs evenly.
    func movedBytes(of blobs: UnmovedBlobs, from old: Layout) -> Int64 {
        Int64(
            blobs.classes.reduce(0.0) { sum, entry in
                let (fragments, share) =
                    switch entry.storageClass {
                    case .coded(let code): (movedFragments(from: old, codedWidth: code.width), 1 / Double(code.dataCount))
                    case .replicated, .copies: (movedFragments(from: old), 1.0)
                    }
                return sum + Double(entry.totals.byteCount) * share * Double(fragments) / Double(partitionCount)
            })
    }
}
