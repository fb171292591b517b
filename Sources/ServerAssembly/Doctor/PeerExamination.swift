internal import ChunkTransport
internal import Core
internal import Logging
internal import Settings

/// Talks to the servers that a server will talk to.
struct PeerExamination: Sendable {
    private static let patience = Duration.seconds(5)
    private static let secretAdvice = "give both the same CHUNKFLOW_CLUSTER_SECRET"

    private let process: ProcessSettings
    private let time: any TimeSource

    init(process: ProcessSettings, time: any TimeSource) {
        self.process = process
        self.time = time
    }

    // MARK: A distributor's storage nodes

    func storageNodes(_ addresses: [HostPort], joinAt cluster: HostPort) async throws -> [Finding] {
        guard !addresses.isEmpty else { return [.ok("peers", "none are named; storage nodes join at \(cluster)")] }
        let dialer = GRPCPeerDialer(
            secret: process.clusterSecret?.revealed, time: time, logger: Logger(label: "doctor") { _ in SwiftLogNoOpLogHandler() })
        return try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { await dialer.run() }
            defer { group.cancelAll() }
            var answers: [(address: HostPort, answer: Result<NodeInformation, NodeError>)] = []
            for address in addresses { answers.append((address, try await information(of: address, through: dialer))) }
            dialer.shutDown()
            return answers.map { finding("peer \($0.address)", $0.answer) }
                + [clusters(answers.compactMap { try? $0.answer.get() })].compactMap { $0 }
        }
    }

    private func information(of address: HostPort, through dialer: GRPCPeerDialer) async throws -> Result<NodeInformation, NodeError> {
        do {
            let transport = try dialer.transport(toAddress: address.description)
            return .success(try await withDeadline(Self.patience, time: time) { try await transport.information() })
        } catch let error as NodeError {
            return .failure(error)
        } catch is DeadlineExceeded {
            return .failure(.unreachable(address: address.description, detail: "no answer in \(Self.patience)"))
        }
    }

    private func finding(_ subject: String, _ answer: Result<NodeInformation, NodeError>) -> Finding {
        switch answer {
        case .success(let node) where node.version != chunkFlowVersion:
            return .warning(
                subject, "answers, with version \(node.version); this is \(chunkFlowVersion)", do: "bring all servers to the same version")
        case .success(let node):
            return .ok(subject, "answers: node \(node.id)")
        case .failure(.unauthenticated):
            return .problem(subject, "wants another cluster secret", do: Self.secretAdvice)
        case .failure(.unreachable(_, let detail)):
            return .problem(
                subject, "does not answer: \(detail)",
                do: "is the storage node started, does it listen on an address that this machine reaches (--listen), is a firewall between?"
            )
        case .failure(let error):
            return .problem(subject, "\(error)", do: "look at its log")
        }
    }

    /// Nodes that belong to clusters of their own cannot serve one distributor.
    private func clusters(_ nodes: [NodeInformation]) -> Finding? {
        let clusters = Set(nodes.compactMap(\.cluster))
        guard clusters.count > 1 else { return nil }
        return .problem(
            "peers", "the storage nodes belong to \(clusters.count) clusters",
            do: "name only those of one cluster in --storage-nodes; a node with an empty data directory belongs to none")
    }

    // MARK: The distributor that a storage node joins

    func distributor(_ settings: StorageSettings) async throws -> [Finding] {
        guard let distributor = settings.join else { return [.ok("peers", "no distributor is named; one that knows this node calls it")] }
        let unreachable = advertised(settings, to: distributor)
        return [try await joining(distributor)] + [unreachable].compactMap { $0 }
    }

    private func joining(_ distributor: HostPort) async throws -> Finding {
        let subject = "peer \(distributor)"
        do {
            let client = try MembershipClient(
                distributor: distributor, secret: process.clusterSecret?.revealed, timeout: Self.patience, time: time)
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask { await client.run() }
                defer { group.cancelAll() }
                try await client.probe()
            }
            return .ok(subject, "answers, and takes storage nodes")
        } catch let error as MembershipError {
            switch error {
            case .unauthenticated: return .problem(subject, "wants another cluster secret", do: Self.secretAdvice)
            case .unreachable(_, let detail):
                return .problem(
                    subject, "does not answer: \(detail)",
                    do: "is the distributor started, does its --cluster address reach beyond its machine, is a firewall between?")
            case .postponed, .refused: return .problem(subject, "\(error)", do: "look at its log")
            }
        }
    }

    /// The distributor calls back: an address of the loopback network means the distributor's own machine there.
    private func advertised(_ settings: StorageSettings, to distributor: HostPort) -> Finding? {
        guard settings.advertise == nil, settings.listen.isLoopback, !distributor.isLoopback else { return nil }
        return .problem(
            "address", "this node listens on \(settings.listen), which the distributor at \(distributor) cannot reach",
            do: "give --listen an address of this machine's network, or 0.0.0.0")
    }
}
