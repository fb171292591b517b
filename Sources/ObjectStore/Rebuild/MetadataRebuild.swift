internal import ChunkTransport
public import Core
internal import Foundation
public import Logging
internal import Metadata
internal import Placement
import Synchronization

/// Makes a metadata database anew from what the storage nodes have: from the newest snapshot of it that they keep, and from the
/// descriptors of the blobs that are younger (docs/decisions/0014-rebuild.md). Changes nothing on the nodes. No distributor of the
/// cluster may run meanwhile.
public struct MetadataRebuild: Sendable {
    public struct Options: Sendable {
        /// Whether not all nodes of the cluster are named: then what was found nowhere is not taken for deleted.
        public var isPartial = false
        /// Whether what is doubtful becomes visible where it was, instead of in a bucket of its own.
        public var restoresDoubtful = false
        /// Whether snapshots are used.
        public var usesSnapshots = true

        public init() {}
    }

    /// Where what may have been deleted goes: visible, but not where it was.
    public static let doubtfulBucketName = "rebuilt-doubtful"

    /// Descriptors that are asked for at the same time.
    private static let concurrency = 64
    private static let pageSize = 1_000

    let seeds: [ClusterBootstrap.Seed]
    let options: Options
    let directory: String
    let time: any TimeSource
    let random: any RandomSource
    let executor: any BlockingExecutor
    let logger: Logger

    /// - Parameters:
    ///   - seeds: all storage nodes of the cluster.
    ///   - directory: for files that are made on the way, with room for the metadata three times; exists, and is empty.
    ///   - executor: where the database and files are worked on.
    public init(
        seeds: [ClusterBootstrap.Seed], options: Options, directory: String, time: any TimeSource, random: any RandomSource,
        executor: any BlockingExecutor, logger: Logger
    ) {
        self.seeds = seeds
        self.options = options
        self.directory = directory
        self.time = time
        self.random = random
        self.executor = executor
        self.logger = logger
    }

    /// - Returns: the path of a backup, to be put in place like any other, and what was found.
    /// - Throws: ``RebuildError``, ``MetadataError``, `CancellationError`.
    public func run() async throws -> (backup: String, report: RebuildReport) {
        var survey = try await survey()
        var report = RebuildReport(cluster: survey.cluster, nodeCount: survey.nodes.count, fragmentCount: survey.census.fragmentCount)
        let snapshot = options.usesSnapshots ? try await newestSnapshot(in: survey) : nil
        let metadata: SQLiteMetadataStore
        if let snapshot { metadata = snapshot.metadata } else { metadata = try await open("\(directory)/empty.sqlite") }
        do {
            _ = try await metadata.clusterID(orElse: survey.cluster)
            report.snapshot = snapshot?.description
            try await save(survey.nodes, in: metadata)
            survey.replicas = try await metadata.layouts().last.flatMap { try? Layout(decoding: $0.encoded).replicas } ?? 1
            let garbage = try await self.garbage(of: metadata)
            var absent = try await review(metadata, survey, &report)
            try await recover(from: survey, youngerThan: snapshot?.description.createdAt, into: metadata, &absent, &report)
            try await remove(absent, from: metadata, survey, &report)
            try await forgetGarbage(but: garbage, in: metadata)
            let backup = "\(directory)/rebuilt.sqlite"
            try await metadata.backup(to: backup)
            await metadata.close()
            return (backup, report)
        } catch {
            await metadata.close()
            throw error
        }
    }

    func open(_ path: String) async throws -> SQLiteMetadataStore {
        var configuration = SQLiteMetadataStore.Options()
        // Nothing of it is kept when the machine fails: a rebuild is begun anew.
        configuration.durability = .none
        return try await SQLiteMetadataStore.open(path: path, executor: executor, logger: logger, options: configuration)
    }

    // MARK: Garbage

    private func garbage(of metadata: any MetadataStore) async throws -> Set<BlobID> {
        var blobs: Set<BlobID> = []
        var position: BlobID?
        repeat {
            let page = try await metadata.garbage(after: position, limit: Self.pageSize)
            blobs.formUnion(page.map(\.blob.id))
            position = page.count == Self.pageSize ? page.last?.blob.id : nil
        } while position != nil
        return blobs
    }

    /// What a rebuild has replaced is not removed at once, as garbage is: should the rebuild be wrong, it is still there, for as long as
    /// everything that nobody knows.
    private func forgetGarbage(but known: Set<BlobID>, in metadata: any MetadataStore) async throws {
        let made = try await garbage(of: metadata).subtracting(known)
        if !made.isEmpty { try await metadata.removeGarbage(made.sorted()) }
    }

    // MARK: The nodes

    struct Node: Sendable {
        let seed: ClusterBootstrap.Seed
        let information: NodeInformation
    }

    struct Survey: Sendable {
        let cluster: ClusterID
        let nodes: [Node]
        let census: FragmentCensus
        /// Copies that the newest layout wants.
        var replicas = 1
    }

    private func survey() async throws -> Survey {
        var nodes: [Node] = []
        for seed in seeds {
            let information = try await asking(seed) { try await $0.information() }
            guard let cluster = information.cluster else { throw RebuildError.noCluster(address: seed.address) }
            if let first = nodes.first?.information.cluster, cluster != first {
                throw RebuildError.severalClusters(address: seed.address, first, other: cluster)
            }
            if let same = nodes.first(where: { $0.information.id == information.id }) {
                throw RebuildError.sameNode(information.id, addresses: [same.seed.address, seed.address])
            }
            nodes.append(Node(seed: seed, information: information))
        }
        guard let cluster = nodes.first?.information.cluster else { throw RebuildError.notReady(address: "", detail: "none was named") }
        let entries = try await withThrowingTaskGroup(of: [FragmentCensus.Entry].self) { group in
            for (number, node) in nodes.enumerated() { group.addTask { try await list(node, number: number) } }
            return try await group.reduce(into: []) { $0 += $1 }
        }
        return Survey(cluster: cluster, nodes: nodes, census: FragmentCensus(entries))
    }

    private func list(_ node: Node, number: Int) async throws -> [FragmentCensus.Entry] {
        var entries: [FragmentCensus.Entry] = []
        var cursor: ListCursor?
        repeat {
            let from = cursor
            let page = try await asking(node.seed) { try await $0.list(after: from, limit: Self.pageSize) }
            entries += FragmentCensus.entries(page.fragments, on: number)
            cursor = page.next
        } while cursor != nil
        logger.info("storage node listed", metadata: ["address": "\(node.seed.address)", "fragments": "\(entries.count)"])
        return entries
    }

    /// A node that fails in the middle ends the rebuild: what it has would be taken for deleted.
    private func asking<Value: Sendable>(
        _ seed: ClusterBootstrap.Seed, _ body: @Sendable (any ChunkTransport) async throws -> Value
    ) async throws -> Value {
        do {
            return try await body(seed.transport)
        } catch NodeError.unauthenticated {
            throw RebuildError.notReady(address: seed.address, detail: "it has another cluster secret")
        } catch let error as NodeError {
            throw RebuildError.notReady(address: seed.address, detail: error.reason)
        }
    }

    /// What a chunk's fragments carry; nil when nothing that can be read.
    func descriptor(of chunk: UInt32, in blob: FoundBlob, _ survey: Survey) async throws -> BlobDescriptor? {
        for entry in blob.fragments(of: chunk) {
            let seed = survey.nodes[Int(entry.node)].seed
            do {
                if let descriptor = BlobDescriptor(decoding: try await seed.transport.descriptor(of: entry.fragment)) { return descriptor }
            } catch NodeError.notFound, NodeError.corrupt {
                continue
            } catch let error as NodeError {
                throw RebuildError.notReady(address: seed.address, detail: error.reason)
            }
        }
        return nil
    }

    /// What the first and the last chunk of a blob say together.
    func descriptor(of blob: FoundBlob, _ survey: Survey) async throws -> BlobDescriptor? {
        guard var descriptor = try await descriptor(of: 0, in: blob, survey) else { return nil }
        if let last = blob.lastChunk, last > 0 { descriptor.content = try await self.descriptor(of: last, in: blob, survey)?.content }
        return descriptor
    }

    /// Runs `body` for each of `items`, many at a time.
    func mapping<Item: Sendable, Value: Sendable>(
        _ items: [Item], _ body: @escaping @Sendable (Item) async throws -> Value
    ) async throws -> [Value] {
        // Each task leaves its value in an object of its own: see FragmentReconstruction.
        let slots = items.map { _ in Slot<Value>() }
        try await withThrowingTaskGroup(of: Void.self) { group in
            for (number, (item, slot)) in zip(items, slots).enumerated() {
                if number >= Self.concurrency { try await group.next() }
                group.addTask { slot.value = try await body(item) }
            }
            try await group.waitForAll()
        }
        return slots.compactMap(\.value)
    }

    private final class Slot<Value: Sendable>: Sendable {
        private let state = Mutex<Value?>(nil)

        var value: Value? {
            get { state.withLock { $0 } }
            set { state.withLock { $0 = newValue } }
        }
    }

    /// Remembers the nodes under the addresses that they were named by.
    private func save(_ nodes: [Node], in metadata: any MetadataStore) async throws {
        let known = try await metadata.nodes()
        let named = Set(nodes.map(\.information.id))
        let others = known.filter { $0.membership.isPresent && !named.contains($0.id) }
        guard others.isEmpty || options.isPartial else {
            throw RebuildError.nodesNotNamed(others.map { "\($0.id) (last at \($0.address))" })
        }
        for node in nodes {
            let before = known.first { $0.id == node.information.id }
            try await metadata.saveNode(
                NodeRecord(
                    id: node.information.id, address: node.seed.address, zone: node.information.zone,
                    addedAt: before?.addedAt ?? time.now(), weight: before?.weight ?? 1,
                    membership: before.map { $0.membership == .lost ? .member : $0.membership } ?? .member))
        }
    }
}
