import ChunkTransport
import Core
import Synchronization

/// What nodes were told to fetch or to compute, in the order in which the calls reached them.
final class TransferJournal: Sendable {
    struct Entry: Sendable {
        let fragment: FragmentID
        let node: NodeID
        let at: MonotonicInstant
    }

    private let all = Mutex<[Entry]>([])

    var entries: [Entry] { all.withLock { $0 } }
    func note(_ entry: Entry) { all.withLock { $0.append(entry) } }
    func clear() { all.withLock { $0 = [] } }
}
