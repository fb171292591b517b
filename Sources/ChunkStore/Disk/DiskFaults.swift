internal import CoreMetrics
import Synchronization

/// What the disk under a store refused to do. Safe to use from any thread.
///
/// Want of space is no fault. A block that comes back changed is none either: the disk did what it was asked, and checksums find it out.
final class DiskFaults: Sendable {
    /// Reads that fail, since the start, until the disk counts as failing for good: every one of them cost a fragment.
    static let readErrorLimit = 10

    private let readErrors = Atomic<Int>(0)
    private let writeErrors = Atomic<Int>(0)
    /// Whether the last write, and the last flush, failed. A flush fails for what writes before it left in memory, so no write
    /// makes up for one.
    private let isWriteFailing = Atomic<Bool>(false)
    private let isFlushFailing = Atomic<Bool>(false)

    var readErrorCount: Int { readErrors.load(ordering: .relaxed) }
    var writeErrorCount: Int { writeErrors.load(ordering: .relaxed) }

    var isFailing: Bool {
        isWriteFailing.load(ordering: .relaxed) || isFlushFailing.load(ordering: .relaxed) || readErrorCount >= Self.readErrorLimit
    }

    func reading<Value>(_ body: () throws -> Value) throws -> Value {
        do {
            return try body()
        } catch {
            readErrors.add(1, ordering: .relaxed)
            StoreMetrics.readErrors.increment()
            throw error
        }
    }

    func writing(_ body: () throws -> Void) throws {
        try noting(isWriteFailing, StoreMetrics.writeErrors, body)
    }

    func flushing(_ body: () throws -> Void) throws {
        try noting(isFlushFailing, StoreMetrics.flushErrors, body)
    }

    private func noting(_ flag: borrowing Atomic<Bool>, _ counter: Counter, _ body: () throws -> Void) throws {
        do {
            try body()
            if flag.load(ordering: .relaxed) { flag.store(false, ordering: .relaxed) }
        } catch {
            if let disk = error as? DiskError, !meansFull(disk.errno) {
                flag.store(true, ordering: .relaxed)
                writeErrors.add(1, ordering: .relaxed)
                counter.increment()
            }
            throw error
        }
    }
}
