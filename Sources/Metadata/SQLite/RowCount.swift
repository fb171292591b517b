import Synchronization

/// How many rows listings have read, since the store was opened: what their cost is.
final class RowCount: Sendable {
    private let count = Atomic(0)

    var value: Int { count.load(ordering: .relaxed) }

    func increment() { count.add(1, ordering: .relaxed) }
}
