internal import Metadata
import Synchronization

/// Fragments that a read found missing or corrupt, on their way to the repair queue: a read does not wait for the database.
///
/// Bounded: when it is full, further reports are dropped; the next read of the fragment, or a scrub, makes them again.
final class RepairReports: Sendable {
    private static let limit = 10_000
    private let waiting = Mutex<[RepairRecord]>([])

    func add(_ record: RepairRecord) {
        waiting.withLock { if $0.count < Self.limit { $0.append(record) } }
    }

    func takeAll() -> [RepairRecord] {
        waiting.withLock { waiting in
            defer { waiting = [] }
            return waiting
        }
    }
}
