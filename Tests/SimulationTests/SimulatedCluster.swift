import ChunkTransport
import Core
import ErasureCoding
import Logging
import Metadata
import NIOCore
import ObjectStore
import Synchronization

/// A whole cluster in one thread: nodes, metadata, and a distributor that can crash and come back.
final class SimulatedCluster: Sendable {
    /// Finds the nodes by name: what an address book is to the real thing.
    private final class Book: PeerDialer {
        let nodes = Mutex<[NodeID: SimulatedNode]>([:])

        func transport(to peer: Peer) async throws -> any ChunkTransport {
            guard let node = nodes.withLock({ $0[peer.id] }) else {
                throw NodeError.unreachable(address: peer.address, detail: "no such node")
            }
            return node
        }
    }

    private struct Distributor: Sendable {
        let store: ObjectStore
        let running: Task<Void, Never>
    }

    let scheduler: DeterministicScheduler
    /// Those that the distributor is started with, then the spare ones.
    let nodes: [SimulatedNode]
    private let seedCount: Int
    let configuration: StoreConfiguration
    private let database: Mutex<SQLiteMetadataStore>
    private let directories = Mutex<[ScratchDirectory]>([])
    let journal = TransferJournal()
    private let distributor = Mutex<Distributor?>(nil)

    init(nodeCount: Int, spareCount: Int = 0, configuration: StoreConfiguration, scheduler: DeterministicScheduler) async throws {
        self.scheduler = scheduler
        self.configuration = configuration
        let book = Book()
        seedCount = nodeCount
        nodes = (0..<nodeCount + spareCount).map { [journal] number in
            SimulatedNode(number: number, scheduler: scheduler, peers: book, journal: journal)
        }
        for node in nodes { book.nodes.withLock { $0[node.id] = node } }
        database = Mutex(try await SQLiteMetadataStore.open(path: nil, executor: InlineExecutor(), logger: .silent))
        for node in nodes { try await node.start() }
        try await startDistributor()
    }

    var metadata: SQLiteMetadataStore { database.withLock { $0 } }

    /// Has the next distributor work on other metadata.
    func replaceMetadata(by other: SQLiteMetadataStore) { database.withLock { $0 = other } }

    /// Makes metadata anew from what the members' disks have, and puts them in the place of those that there are.
    /// - Parameter directory: empty.
    func rebuildMetadata(
        from members: [SimulatedNode]? = nil, options: MetadataRebuild.Options = .init(), directory: ScratchDirectory
    ) async throws -> RebuildReport {
        let rebuild = MetadataRebuild(
            seeds: (members ?? nodes).map { ClusterBootstrap.Seed(address: "\($0.id)", transport: $0) }, options: options,
            directory: directory.path, time: scheduler, random: scheduler.random, executor: InlineExecutor(), logger: .silent)
        let (backup, report) = try await rebuild.run()
        let database = "\(directory.path)/placed/chunkflow.sqlite"
        _ = try MetadataRestore.run(backup: backup, database: database, replacing: false, at: scheduler.now())
        // As long as the database in it is open.
        directories.withLock { $0.append(directory) }
        replaceMetadata(by: try await SQLiteMetadataStore.open(path: database, executor: InlineExecutor(), logger: .silent))
        return report
    }

    /// The distributor that runs now. Uploads that were begun on an earlier one fail or have failed.
    var store: ObjectStore? { distributor.withLock { $0?.store } }

    /// - Parameter clockOffset: of the time of day of the machine on which it starts.
    func startDistributor(clockOffset: Duration = .zero) async throws {
        guard store == nil else { return }
        let time = AlteredTime(base: scheduler, offset: clockOffset)
        let bootstrap = ClusterBootstrap(
            configuration: configuration, metadata: metadata, time: time, random: scheduler.random, logger: .silent,
            connect: { [nodes] address in nodes.first { "\($0.id)" == address }! })
        let cluster = try await bootstrap.run(
            seeds: nodes.prefix(seedCount).map { ClusterBootstrap.Seed(address: "\($0.id)", transport: $0) }, patience: .seconds(60))
        let store = try await ObjectStore(
            configuration: configuration, cluster: cluster, metadata: metadata, time: time, random: scheduler.random,
            digestExecutor: InlineExecutor(), logger: .silent)
        let running = Task { await store.run() }
        distributor.withLock { $0 = Distributor(store: store, running: running) }
    }

    /// The process is gone: its loops stop where they are. Whoever runs uploads on it must cancel them, as the kernel would.
    func stopDistributor() async {
        let stopped = distributor.withLock { distributor in
            defer { distributor = nil }
            return distributor
        }
        stopped?.running.cancel()
        await stopped?.running.value
    }

    /// Stores a file through the distributor.
    func upload(_ seed: UInt64, byteCount: Int, _ storageClass: StorageClass? = nil) async throws -> ObjectRecord {
        guard let store else { throw Violation("no distributor") }
        let body = SimulatedBody(file: SimulatedFile(seed: seed, byteCount: byteCount), breaksAt: nil, scheduler: scheduler)
        return try await store.upload(UploadDescription(fileName: "\(seed)", storageClass: storageClass), body: body)
    }

    /// Reads a file whole and compares it with what was stored.
    func check(_ record: ObjectRecord) async throws {
        guard let store else { throw Violation("no distributor") }
        let file = SimulatedFile(seed: UInt64(record.fileName ?? "") ?? 0, byteCount: Int(record.byteCount))
        let position = Mutex(0)
        try await store.read(record, range: 0..<record.byteCount) { bytes in
            let start = position.withLock { $0 }
            let end = start + bytes.readableBytes
            guard end <= file.byteCount, file.bytes(start..<end) == Array(bytes.readableBytesView) else {
                throw Violation("file \(file.seed): wrong bytes at \(start)..<\(end)")
            }
            position.withLock { $0 = end }
        }
        guard position.withLock({ $0 }) == file.byteCount else { throw Violation("file \(file.seed): cut short") }
    }

    /// Waits, in virtual time.
    func wait(atMost limit: Duration, until what: String, _ condition: () async throws -> Bool) async throws {
        let deadline = scheduler.monotonicNow() + limit
        while try await !condition() {
            guard scheduler.monotonicNow() < deadline else { throw Violation("not within \(limit): \(what)") }
            try await scheduler.sleep(for: .milliseconds(100))
        }
    }

    /// Every fragment on every node.
    /// - Parameter asked: nil for all.
    func inventory(of asked: [SimulatedNode]? = nil) async throws -> [NodeID: Set<FragmentID>] {
        var inventory: [NodeID: Set<FragmentID>] = [:]
        for node in asked ?? nodes {
            var cursor: ListCursor?
            var fragments: Set<FragmentID> = []
            repeat {
                let page = try await node.list(after: cursor, limit: 1000)
                fragments.formUnion(page.fragments.map(\.id))
                cursor = page.next
            } while cursor != nil
            inventory[node.id] = fragments
        }
        return inventory
    }
}

/// A file's bytes, computed from its seed: nothing has to be kept to check what comes back.
struct SimulatedFile: Hashable, Sendable {
    let seed: UInt64
    let byteCount: Int

    func bytes(_ range: Range<Int>) -> [UInt8] {
        let words = range.lowerBound / 8...range.upperBound / 8
        let first = words.lowerBound * 8
        let content = [UInt64](unsafeUninitializedCapacity: words.count) { buffer, initialized in
            var word = words.lowerBound
            while word <= words.upperBound {
                buffer[word - words.lowerBound] = mix64(seed &+ UInt64(word)).littleEndian
                word += 1
            }
            initialized = words.count
        }
        return content.withUnsafeBytes { Array($0[range.lowerBound - first..<range.upperBound - first]) }
    }
}

/// A request body that arrives in buffers of random sizes, with pauses, and may break off.
struct SimulatedBody: AsyncSequence, Sendable {
    struct HungUp: Error {}

    let file: SimulatedFile
    /// Where the client hangs up; nil when it does not.
    let breaksAt: Int?
    let scheduler: DeterministicScheduler

    struct AsyncIterator: AsyncIteratorProtocol {
        let body: SimulatedBody
        var position = 0

        mutating func next() async throws -> ByteBuffer? { try await next(isolation: nil) }

        mutating func next(isolation actor: isolated (any Actor)?) async throws -> ByteBuffer? {
            let random = body.scheduler.random
            if random.next(in: 0..<4) == 0 { try await body.scheduler.sleep(for: .microseconds(random.next(in: 0..<2000))) }
            try Task.checkCancellation()
            if let limit = body.breaksAt, position >= limit { throw HungUp() }
            guard position < body.file.byteCount else { return nil }
            let end = Swift.min(body.file.byteCount, position + random.next(in: 1..<90_000))
            defer { position = end }
            return ByteBuffer(bytes: body.file.bytes(position..<end))
        }
    }

    func makeAsyncIterator() -> AsyncIterator { AsyncIterator(body: self) }
}
