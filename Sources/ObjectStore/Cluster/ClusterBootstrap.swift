public import ChunkTransport
public import Core
public import Logging
public import Metadata
internal import Placement

/// A cluster that is ready to be used.
public struct Cluster: Sendable {
    public let id: ClusterID
    public let nodes: ClusterNodes
    public let map: ClusterMap
    /// Makes a transport to the node at an address.
    let connect: @Sendable (_ address: String) throws -> any ChunkTransport

    init(
        id: ClusterID, nodes: ClusterNodes, map: ClusterMap, connect: @escaping @Sendable (_ address: String) throws -> any ChunkTransport
    ) {
        self.id = id
        self.nodes = nodes
        self.map = map
        self.connect = connect
    }
}

/// Why a distributor cannot start with the nodes that it was given.
public enum BootstrapError: Error, Hashable, Sendable, CustomStringConvertible {
    case notReady(address: String, detail: String)
    case sameNode(NodeID, addresses: [String])
    case refused(address: String, detail: String)
    case damagedLayout(version: Int, detail: String)
    case placement(detail: String)

    public var description: String {
        switch self {
        case .notReady(let address, let detail): "storage node \(address) did not answer: \(detail)"
        case .sameNode(let id, let addresses): "storage nodes \(addresses.joined(separator: " and ")) are the same node, \(id)"
        case .refused(let address, let detail): "storage node \(address) cannot be used: \(detail)"
        case .damagedLayout(let version, let detail): "layout \(version) in the metadata cannot be read: \(detail)"
        case .placement(let detail): "no layout can be made: \(detail)"
        }
    }
}

/// Finds or founds the cluster: claims the nodes, remembers them, and makes layout 1, or a further one for new nodes.
public struct ClusterBootstrap: Sendable {
    /// A node named in the configuration, before it is known which node it is.
    public struct Seed: Sendable {
        public let address: String
        public let transport: any ChunkTransport

        public init(address: String, transport: any ChunkTransport) {
            self.address = address
            self.transport = transport
        }
    }

    private let configuration: StoreConfiguration
    private let metadata: any MetadataStore
    private let time: any TimeSource
    private let random: any RandomSource
    private let logger: Logger
    private let connect: @Sendable (_ address: String) throws -> any ChunkTransport

    /// - Parameter connect: makes a transport to a node that the metadata knows and no seed names.
    public init(
        configuration: StoreConfiguration, metadata: any MetadataStore, time: any TimeSource, random: any RandomSource, logger: Logger,
        connect: @escaping @Sendable (_ address: String) throws -> any ChunkTransport
    ) {
        self.configuration = configuration
        self.metadata = metadata
        self.time = time
        self.random = random
        self.logger = logger
        self.connect = connect
    }

    /// - Parameters:
    ///   - seeds: the nodes of the configuration.
    ///   - patience: how long to wait for nodes that do not answer yet. Nodes of an existing layout are not waited for.
    /// - Throws: ``BootstrapError``, ``MetadataError``.
    public func run(seeds: [Seed], patience: Duration) async throws -> Cluster {
        let cluster = try await metadata.clusterID(orElse: ClusterID(time: time.now(), random: random))
        let known = try await metadata.nodes()
        var layouts = try await savedLayouts()

        let answered = try await claim(seeds, for: cluster, patience: patience, known: known, isFounded: !layouts.isEmpty)
        try checkDistinct(answered)

        var members: [NodeID: ClusterNodes.Member] = [:]
        for node in known {
            // A seed that has not answered is still the best address that we have for the node last seen there.
            let transport = try seeds.first { $0.address == node.address }?.transport ?? (try connect(node.address))
            members[node.id] = ClusterNodes.Member(record: node, transport: transport)
        }
        for (seed, information) in answered {
            let before = known.first { $0.id == information.id }
            if before?.membership == .left {
                logger.warning(
                    "a storage node that was removed is named as one: take it back with chunkflow cluster restore",
                    metadata: ["address": "\(seed.address)", "node": "\(information.id)"])
            }
            let record = NodeRecord(
                id: information.id, address: seed.address, zone: information.zone, addedAt: before?.addedAt ?? time.now(),
                weight: before?.weight ?? 1, membership: before.map { $0.membership == .lost ? .member : $0.membership } ?? .member)
            if members[information.id]?.record != record { try await metadata.saveNode(record) }
            members[information.id] = ClusterNodes.Member(record: record, transport: seed.transport)
        }
        if members.isEmpty { logger.notice("no storage nodes yet: they join at the cluster address") }
        if let layout = try await nextLayout(after: layouts.last, members: members) { layouts.append(layout) }
        let nodes = ClusterNodes(members: Array(members.values), configuration: configuration, time: time, logger: logger)
        await nodes.probeAll()
        return Cluster(id: cluster, nodes: nodes, map: ClusterMap(layouts: layouts.isEmpty ? [.empty()] : layouts), connect: connect)
    }

    private func savedLayouts() async throws -> [Layout] {
        try await metadata.layouts().map { saved in
            do {
                return try Layout(decoding: saved.encoded)
            } catch {
                throw BootstrapError.damagedLayout(version: saved.version, detail: "\(error)")
            }
        }
    }

    /// The seeds that answered, with what they said, in the order of the seeds.
    private func claim(
        _ seeds: [Seed], for cluster: ClusterID, patience: Duration, known: [NodeRecord], isFounded: Bool
    ) async throws -> [(seed: Seed, information: NodeInformation)] {
        let deadline = time.monotonicNow() + patience
        return try await withThrowingTaskGroup(of: (Int, NodeInformation?).self) { group in
            for (index, seed) in seeds.enumerated() {
                let mayBeAway = isFounded && known.contains { $0.address == seed.address }
                group.addTask { (index, try await claim(seed, for: cluster, until: deadline, mayBeAway: mayBeAway)) }
            }
            var answers: [Int: NodeInformation] = [:]
            for try await (index, information) in group { answers[index] = information }
            return seeds.enumerated().compactMap { index, seed in answers[index].map { (seed, $0) } }
        }
    }

    private func claim(
        _ seed: Seed, for cluster: ClusterID, until deadline: MonotonicInstant, mayBeAway: Bool
    ) async throws -> NodeInformation? {
        var announced = false
        while true {
            do {
                return try await seed.transport.claim(for: cluster)
            } catch NodeError.unauthenticated {
                throw BootstrapError.refused(address: seed.address, detail: "it has another cluster secret")
            } catch NodeError.incompatible(let detail) {
                throw BootstrapError.refused(address: seed.address, detail: detail)
            } catch NodeError.wrongCluster(_, let other) {
                throw BootstrapError.refused(address: seed.address, detail: "it belongs to cluster \(other), this is cluster \(cluster)")
            } catch let error as NodeError {
                if mayBeAway {
                    logger.warning("storage node is away", metadata: ["address": "\(seed.address)", "error": "\(error)"])
                    return nil
                }
                guard time.monotonicNow() < deadline else { throw BootstrapError.notReady(address: seed.address, detail: error.reason) }
                if !announced {
                    logger.notice("waiting for storage node", metadata: ["address": "\(seed.address)", "error": "\(error)"])
                    announced = true
                }
                try await time.sleep(for: configuration.failedProbeInterval)
            }
        }
    }

    private func checkDistinct(_ answered: [(seed: Seed, information: NodeInformation)]) throws {
        let byNode = Dictionary(grouping: answered, by: \.information.id)
        for (id, answers) in byNode.sorted(by: { $0.key < $1.key }) where answers.count > 1 {
            throw BootstrapError.sameNode(id, addresses: answers.map(\.seed.address))
        }
    }

    /// The layout to go on with when nodes are there that the last one does not name; saved before it is used.
    private func nextLayout(after last: Layout?, members: [NodeID: ClusterNodes.Member]) async throws -> Layout? {
        let wanted = members.values.map(\.record).filter { $0.membership == .member }.sorted { $0.id < $1.id }.map(LayoutMember.init)
        let replicas = configuration.replicas
        guard !wanted.isEmpty else { return nil }
        let codedWidths = configuration.codedWidths(memberCount: wanted.count)
        // A zone that was renamed, or an attribute set by an operator, is no reason to move anything at a start.
        if let last, Set(last.members.map(\.node)) == Set(wanted.map(\.node)), last.replicas == min(replicas, wanted.count),
            last.codedWidths.isSuperset(of: codedWidths)
        {
            return nil
        }
        if wanted.count < replicas {
            logger.warning("fewer storage nodes than copies wanted", metadata: ["nodes": "\(wanted.count)", "replicas": "\(replicas)"])
        }
        let layout: Layout
        do {
            layout =
                try last?.next(members: wanted, replicas: replicas, codedWidths: codedWidths)
                ?? Layout.initial(members: wanted, replicas: replicas, codedWidths: codedWidths)
        } catch {
            throw BootstrapError.placement(detail: "\(error)")
        }
        try await metadata.saveLayout(version: layout.version, encoded: layout.encoded(), nodes: [], at: time.now())
        logger.notice(
            "new layout", metadata: ["version": "\(layout.version)", "nodes": "\(wanted.count)", "replicas": "\(layout.replicas)"])
        return layout
    }
}

extension NodeError {
    /// The part of an error that tells a person what to look at.
    var reason: String {
        switch self {
        case .unreachable(_, let detail), .incompatible(let detail): detail
        default: "\(self)"
        }
    }
}

extension LayoutMember {
    init(_ record: NodeRecord) { self.init(node: record.id, weight: record.weight, zone: record.zone) }
}
