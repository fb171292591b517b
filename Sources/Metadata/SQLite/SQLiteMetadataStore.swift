public import Core
internal import Foundation
internal import GRDB
public import Logging
import Synchronization

/// The metadata of a cluster with one distributor: one SQLite file, in WAL mode.
///
/// Writes of concurrent callers share transactions, and with them the fdatasync: each request in a savepoint, so that one that
/// fails harms no other. Reads go to connections of their own and never wait for writes. All of it runs on the executor that
/// the store was given. An acknowledged write survives loss of power unless ``Options/durability`` says otherwise.
public final class SQLiteMetadataStore: MetadataStore {
    public struct Options: Sendable {
        public var durability: Durability = .fsync
        /// How long to wait for a lock that another connection holds.
        public var busyTimeout: Duration = .seconds(5)
        /// Connections for reading; as many reads run at the same time.
        public var readerCount = 4
        /// Bytes that the write-ahead log may reach before readers are made to wait until it is emptied.
        public var maximumLogSize: Int64 = 64 * 1024 * 1024
        /// Requests that share a transaction at most.
        public var maximumBatch = 256

        public init() {}
    }

    let writer: any DatabaseWriter
    let executor: any BlockingExecutor
    private let logger: Logger
    private let lock: FileLock?
    /// Whether other processes are kept out.
    var isLocked: Bool { lock != nil }
    let batches: TransactionBatches
    private let commits: GroupCommit<TransactionBatches.Request, Void>
    /// Two to the same path would share a file; two at all would only take each other's disk.
    let backups = AsyncPermits(count: 1)
    let rowsListed = RowCount()
    private let changes = Atomic(0)
    /// Buckets of the store's own, of which nothing counts.
    private let internalBuckets = Mutex<Set<BucketID>>([])
    private let isClosed = Mutex(false)

    /// Opens the database, makes it if it is not there, and brings its schema up to date.
    /// - Parameters:
    ///   - path: the file, in a directory that exists; nil for a database in memory that ends with the store.
    ///   - executor: where everything runs; the store has no threads of its own.
    /// - Throws: ``MetadataError/locked(path:)``, ``MetadataError/unknownSchema(path:detail:)``,
    ///   ``MetadataError/restoreUnfinished(path:)`` and what else ``MetadataError`` has.
    public static func open(
        path: String?, executor: any BlockingExecutor, logger: Logger, options: Options = Options()
    ) async throws -> SQLiteMetadataStore {
        do {
            return try await executor.run {
                try SQLiteMetadataStore(path: path, executor: executor, logger: logger, options: options)
            }
        } catch {
            throw MetadataError(error)
        }
    }

    /// The file whose lock (`flock`) a process holds as long as it has the database open.
    public static func lockPath(ofDatabase path: String) -> String { path + ".lock" }

    private init(path: String?, executor: any BlockingExecutor, logger: Logger, options: Options) throws {
        self.executor = executor
        self.logger = logger
        var configuration = Configuration()
        configuration.foreignKeysEnabled = false
        configuration.busyMode = .timeout(Double(options.busyTimeout.milliseconds) / 1_000)
        configuration.maximumReaderCount = options.readerCount
        configuration.label = "metadata"
        configuration.prepareDatabase { try $0.execute(sql: "PRAGMA cache_size = -16384") }
        if let path {
            lock = try FileLock(path: Self.lockPath(ofDatabase: path))
            try MetadataRestore.checkFinished(path)
            writer = try DatabasePool(path: path, configuration: configuration)
        } else {
            lock = nil
            writer = try DatabaseQueue(configuration: configuration)
        }
        try Self.prepare(writer, path: path, options: options)
        batches = TransactionBatches(
            writer: writer, logPath: path.map { $0 + "-wal" }, maximumLogSize: options.maximumLogSize, logger: logger)
        commits = GroupCommit(maximumBatch: options.maximumBatch, executor: executor, handle: batches.handle)
    }

    private static func prepare(_ writer: any DatabaseWriter, path: String?, options: Options) throws {
        MetadataMetrics.prepare()
        let name = path ?? "memory"
        try writer.writeWithoutTransaction { database in
            if try Schema.check(database, path: name, mayBeEmpty: true) {
                try database.execute(sql: "PRAGMA application_id = \(Schema.applicationID)")
            }
        }
        try Schema.migrator.migrate(writer)
        guard path != nil else { return }
        // Not in prepareDatabase: the pool sets NORMAL after it, without a word.
        try writer.writeWithoutTransaction { database in
            let level = options.durability == .fsync ? "FULL" : "OFF"
            try database.execute(sql: "PRAGMA synchronous = \(level); PRAGMA journal_size_limit = \(options.maximumLogSize)")
        }
    }

    public func close() async {
        let wasClosed = isClosed.withLock { isClosed in
            defer { isClosed = true }
            return isClosed
        }
        if wasClosed { return }
        // Requests are answered in order: when this one is, all that came before have been.
        try? await commits.submit { _ in }
        do {
            try await executor.run {
                // Of several connections the last to close would empty the log, and that one is for reading. What has been closed
                // is whole in one file, for whoever copies it.
                _ = try? self.writer.writeWithoutTransaction { try $0.checkpoint(.truncate) }
                try self.writer.close()
            }
        } catch {
            logger.error("closing the metadata database failed", metadata: ["error": "\(MetadataError(error))"])
        }
        lock?.release()
    }

    func checkOpen() throws {
        if isClosed.withLock({ $0 }) { throw MetadataError.closed }
    }

    /// Known from the first time that somebody asks for the bucket by its name: nobody writes to it before.
    func isInternal(_ bucket: BucketID) -> Bool { internalBuckets.withLock { $0.contains(bucket) } }

    func note(_ bucket: BucketRecord) {
        if bucket.isInternal { internalBuckets.withLock { _ = $0.insert(bucket.id) } }
    }

    public var changeCount: Int { changes.load(ordering: .relaxed) }

    /// Runs `body` in a transaction, together with whatever else is waiting; returns when that is durable.
    /// - Parameter isChange: whether it counts for ``changeCount``, judged by what `body` returned.
    func write<Value: Sendable>(
        isChange: (Value) -> Bool = { _ in true }, _ body: @escaping @Sendable (inout WriteTransaction) throws -> Value
    ) async throws -> Value {
        try checkOpen()
        let answer = Answer<Value>()
        do {
            try await commits.submit { transaction in
                let value = try body(&transaction)
                answer.value.withLock { $0 = value }
            }
        } catch {
            throw MetadataError(error)
        }
        guard let value = answer.value.withLock({ $0 }) else { preconditionFailure("a request that was committed has been run") }
        // After the commit: a backup that was made in between is followed by one too many, never by one too few.
        if isChange(value) { changes.add(1, ordering: .relaxed) }
        return value
    }

    private final class Answer<Value: Sendable>: Sendable {
        let value = Mutex<Value?>(nil)
    }

    /// Runs `body` on a connection for reading. One statement sees one state of the database; for several, see
    /// ``readConsistently(_:)``.
    func read<Value: Sendable>(_ body: @escaping @Sendable (Database) throws -> Value) async throws -> Value {
        try checkOpen()
        do {
            return try await executor.run { try self.writer.unsafeRead { try Self.counted(body, $0) } }
        } catch {
            throw readError(error)
        }
    }

    /// Runs `body` in a transaction: all its statements see the same state.
    func readConsistently<Value: Sendable>(_ body: @escaping @Sendable (Database) throws -> Value) async throws -> Value {
        try checkOpen()
        do {
            return try await executor.run { try self.writer.read { try Self.counted(body, $0) } }
        } catch {
            throw readError(error)
        }
    }

    private static func counted<Value>(_ body: (Database) throws -> Value, _ database: Database) throws -> Value {
        defer { PageCacheMetrics.collect(database) }
        return try body(database)
    }

    /// A read that lost the race with ``close()`` finds no connection.
    func readError(_ error: any Error) -> MetadataError { isClosed.withLock { $0 } ? .closed : MetadataError(error) }
}

extension SQLiteMetadataStore {
    /// What the connection for writing says to `PRAGMA synchronous` and `PRAGMA journal_mode`: 2 is FULL.
    package func durabilityPragmas() async throws -> (synchronous: Int, journalMode: String) {
        try await executor.run {
            try self.writer.writeWithoutTransaction { database in
                (
                    try Int.fetchOne(database, sql: "PRAGMA synchronous") ?? -1,
                    try String.fetchOne(database, sql: "PRAGMA journal_mode") ?? ""
                )
            }
        }
    }

    /// Transactions committed and requests in them, since the store was opened.
    package var committed: (transactions: Int, requests: Int) { batches.committed }

    /// Lets the database grow to so many pages of 4 KiB: as good as a full disk, for tests.
    package func setMaximumPageCount(_ count: Int) async throws {
        try await executor.run {
            try self.writer.writeWithoutTransaction { try $0.execute(sql: "PRAGMA max_page_count = \(count)") }
        }
    }

    /// Rows of a table, for tests.
    package func rowCount(of table: String) async throws -> Int {
        try await read { database in try Int.fetchOne(database, sql: "SELECT COUNT(*) FROM \(table)") ?? 0 }
    }

    /// Makes a database as an older version of the program left it, for tests.
    /// - Parameters:
    ///   - migration: the last that it knew.
    ///   - rows: SQL that fills it.
    package static func makeDatabase(at path: String, upTo migration: String, rows: String) throws {
        let database = try DatabaseQueue(path: path)
        try database.writeWithoutTransaction { try $0.execute(sql: "PRAGMA application_id = \(Schema.applicationID)") }
        try Schema.migrator.migrate(database, upTo: migration)
        try database.write { try $0.execute(sql: rows) }
        try database.close()
    }

    /// Runs SQL in a transaction, for tests.
    package func execute(sql: String) async throws {
        try await write { transaction in try transaction.database.execute(sql: sql) }
    }
}
