internal import Core
internal import CoreMetrics
internal import Foundation
internal import GRDB
internal import Logging
import Synchronization

/// Runs batches of requests on the connection for writing, each batch a transaction. One batch at a time.
final class TransactionBatches: Sendable {
    typealias Request = @Sendable (inout WriteTransaction) throws -> Void

    /// How many batches between two looks at the size of the write-ahead log.
    private static let batchesBetweenLogChecks = 32

    private let writer: any DatabaseWriter
    private let logPath: String?
    private let maximumLogSize: Int64
    private let logger: Logger
    /// Those who read for long and must not make writers wait.
    private let longReads = Atomic(0)
    private let counts = Mutex((transactions: 0, requests: 0))

    init(writer: any DatabaseWriter, logPath: String?, maximumLogSize: Int64, logger: Logger) {
        self.writer = writer
        self.logPath = logPath
        self.maximumLogSize = maximumLogSize
        self.logger = logger
    }

    var committed: (transactions: Int, requests: Int) { counts.withLock { $0 } }

    /// Lets the log grow while `body` runs: emptying it would make all writers wait for who reads. It is emptied soon after: what
    /// is written while a database is copied is all that it can grow by.
    func withoutLogLimit<Value>(_ body: () throws -> Value) rethrows -> Value {
        longReads.add(1, ordering: .relaxed)
        defer { longReads.subtract(1, ordering: .relaxed) }
        return try body()
    }

    func handle(_ requests: [Request]) -> [Result<Void, any Error>] {
        MetadataMetrics.batchSize.record(requests.count)
        return writer.writeWithoutTransaction { database in
            defer { PageCacheMetrics.collect(database) }
            do {
                let results = try MetadataMetrics.measure(MetadataMetrics.commitTime) { try commit(requests, on: database) }
                let transactions = counts.withLock { counts in
                    counts.transactions += 1
                    counts.requests += requests.count
                    return counts.transactions
                }
                if transactions % Self.batchesBetweenLogChecks == 0 { limitLog(database) }
                return results
            } catch {
                if database.isInsideTransaction { try? database.rollback() }
                return requests.map { _ in .failure(error) }
            }
        }
    }

    /// - Throws: when the whole batch failed, the transaction then being open still or not.
    private func commit(_ requests: [Request], on database: Database) throws -> [Result<Void, any Error>] {
        var transaction = WriteTransaction(database: database)
        try transaction.run(SQL.begin)
        let results = try requests.map { try run($0, in: &transaction) }
        try transaction.saveCounters()
        try transaction.run(SQL.commit)
        return results
    }

    /// - Throws: when the failure of the request took the transaction with it.
    private func run(_ request: Request, in transaction: inout WriteTransaction) throws -> Result<Void, any Error> {
        let counters = transaction.counters
        try transaction.run(SQL.beginRequest)
        do {
            try request(&transaction)
            try transaction.run(SQL.endRequest)
            return .success(())
        } catch {
            // A full disk, among others, makes SQLite roll back everything by itself.
            guard transaction.database.isInsideTransaction else { throw error }
            transaction.counters = counters
            try transaction.run(SQL.undoRequest)
            try transaction.run(SQL.endRequest)
            return .failure(error)
        }
    }

    /// SQLite empties the log only at a moment without readers; under steady load there may be none, so a log that has
    /// grown too large makes one.
    private func limitLog(_ database: Database) {
        guard longReads.load(ordering: .relaxed) == 0, let logPath,
            let attributes = try? FileManager.default.attributesOfItem(atPath: logPath),
            let size = (attributes[.size] as? NSNumber)?.int64Value, size > maximumLogSize
        else { return }
        do {
            try database.checkpoint(.truncate)
        } catch {
            logger.warning("the metadata database's log could not be emptied", metadata: ["bytes": "\(size)", "error": "\(error)"])
        }
    }
}
