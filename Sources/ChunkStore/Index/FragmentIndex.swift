internal import Core
import Synchronization

/// Which fragments are stored, and where: all in memory, in shards with a lock each. Safe to use from any thread.
///
/// Besides the places it keeps the order of commits of one name: a commit that finishes after one with a higher sequence
/// number of the same name must not undo it.
final class FragmentIndex: Sendable {
    static let shardCount = 256

    enum Lookup {
        case found(FragmentLocation)
        case quarantined(detail: String)
        case absent
    }

    struct Quarantined: Sendable {
        /// Segment 0 when the record is no longer on the disk.
        var location: FragmentLocation
        var detail: String
    }

    /// Commits of one name that are under way.
    private struct Pending {
        var count = 0
        var appliedSequence: UInt64 = 0
    }

    private struct Shard {
        var table: SortedProbingTable
        var payloadByteCount = 0
        var quarantined: [FragmentID: Quarantined] = [:]
        var pending: [FragmentID: Pending] = [:]
        /// Names whose commit failed half-way: a record may or may not be on the disk.
        var uncertain: Set<FragmentID> = []
    }

    private final class LockedShard: Sendable {
        let state: Mutex<Shard>
        init(salt: UInt64, capacity: Int) { state = Mutex(Shard(table: SortedProbingTable(salt: salt, capacity: capacity))) }
    }

    let salt: UInt64
    private let shards: [LockedShard]

    /// - Parameter capacity: fragments to make room for.
    init(salt: UInt64, capacity: Int = 0) {
        self.salt = salt
        shards = (0..<Self.shardCount).map { _ in LockedShard(salt: salt, capacity: capacity / Self.shardCount) }
    }

    private func withShard<Result>(_ id: FragmentID, _ body: (inout Shard, _ hash: UInt64) throws -> sending Result) rethrows
        -> sending Result
    {
        let hash = IndexEntry.hash(id, salt: salt)
        return try shards[Int(hash >> 56)].state.withLock { try body(&$0, hash) }
    }

    // MARK: Looking up

    func lookup(_ id: FragmentID) -> Lookup {
        withShard(id) { shard, hash in
            if let location = shard.table.find(id, hash: hash) { return .found(location) }
            if let quarantined = shard.quarantined[id] { return .quarantined(detail: quarantined.detail) }
            return .absent
        }
    }

    func location(of id: FragmentID) -> FragmentLocation? {
        withShard(id) { shard, hash in shard.table.find(id, hash: hash) }
    }

    /// Whether a deletion of `id` has anything to delete, on the disk included.
    func needsTombstone(_ id: FragmentID) -> Bool {
        withShard(id) { shard, hash in
            shard.table.find(id, hash: hash) != nil || shard.quarantined[id] != nil || shard.uncertain.contains(id)
        }
    }

    // MARK: Commits

    /// Announces a commit of `id`, before its sequence number is drawn. Ended by one of the three calls below.
    func begin(_ id: FragmentID) {
        withShard(id) { shard, _ in shard.pending[id, default: Pending()].count += 1 }
    }

    /// Ends a commit that failed.
    /// - Parameter mayBeOnDisk: whether a record of it may have reached the disk all the same.
    func abandon(_ id: FragmentID, mayBeOnDisk: Bool) {
        withShard(id) { shard, _ in
            _ = Self.end(id, sequence: 0, &shard)
            if mayBeOnDisk { shard.uncertain.insert(id) }
        }
    }

    /// Ends the commit of a fragment that is now durable at `location`.
    /// - Returns: the place that is dead from now on: the former record's, or `location` itself when a commit of a higher
    ///   sequence number was faster.
    func commitFragment(_ id: FragmentID, sequence: UInt64, at location: FragmentLocation) -> FragmentLocation? {
        withShard(id) { shard, hash in
            guard Self.end(id, sequence: sequence, &shard) else { return location }
            return Self.place(id, hash, at: location, &shard)
        }
    }

    /// Ends the commit of a tombstone.
    /// - Returns: the place that is dead from now on.
    func commitTombstone(_ id: FragmentID, sequence: UInt64) -> FragmentLocation? {
        withShard(id) { shard, hash in
            guard Self.end(id, sequence: sequence, &shard) else { return nil }
            return Self.remove(id, hash, &shard)
        }
    }

    /// - Returns: whether the commit is the latest of its name.
    private static func end(_ id: FragmentID, sequence: UInt64, _ shard: inout Shard) -> Bool {
        guard var pending = shard.pending[id] else { preconditionFailure("a commit that was not begun") }
        let isLatest = sequence > pending.appliedSequence
        pending.appliedSequence = max(pending.appliedSequence, sequence)
        pending.count -= 1
        shard.pending[id] = pending.count == 0 ? nil : pending
        return isLatest
    }

    private static func place(_ id: FragmentID, _ hash: UInt64, at location: FragmentLocation, _ shard: inout Shard) -> FragmentLocation? {
        let former = shard.table.set(IndexEntry(id: id, location: location), hash: hash)
        shard.payloadByteCount += location.payloadByteCount - (former?.payloadByteCount ?? 0)
        shard.uncertain.remove(id)
        let quarantined = shard.quarantined.removeValue(forKey: id)?.location
        return former ?? quarantined
    }

    private static func remove(_ id: FragmentID, _ hash: UInt64, _ shard: inout Shard) -> FragmentLocation? {
        let former = shard.table.remove(id, hash: hash)
        shard.payloadByteCount -= former?.payloadByteCount ?? 0
        shard.uncertain.remove(id)
        let quarantined = shard.quarantined.removeValue(forKey: id)?.location
        return former ?? quarantined
    }

    // MARK: Outside of commits

    /// Sets a place during recovery.
    /// - Returns: where the fragment was before.
    @discardableResult
    func recover(_ id: FragmentID, at location: FragmentLocation) -> FragmentLocation? {
        withShard(id) { shard, hash in Self.place(id, hash, at: location, &shard) }
    }

    /// Removes a place during recovery.
    @discardableResult
    func recoverRemoval(_ id: FragmentID) -> FragmentLocation? {
        withShard(id) { shard, hash in Self.remove(id, hash, &shard) }
    }

    func recoverQuarantine(_ id: FragmentID, at location: FragmentLocation, detail: String) {
        withShard(id) { shard, _ in shard.quarantined[id] = Quarantined(location: location, detail: detail) }
    }

    /// - Returns: false, with nothing changed, when the fragment is no longer at `old`.
    func move(_ id: FragmentID, from old: FragmentLocation, to new: FragmentLocation) -> Bool {
        withShard(id) { shard, hash in
            guard shard.table.find(id, hash: hash) == old else { return false }
            _ = shard.table.set(IndexEntry(id: id, location: new), hash: hash)
            return true
        }
    }

    /// Takes a fragment out of service.
    /// - Returns: false, with nothing changed, when the fragment is no longer at `location`.
    func quarantine(_ id: FragmentID, at location: FragmentLocation, detail: String) -> Bool {
        withShard(id) { shard, hash in
            guard shard.table.find(id, hash: hash) == location else { return false }
            _ = shard.table.remove(id, hash: hash)
            shard.payloadByteCount -= location.payloadByteCount
            shard.quarantined[id] = Quarantined(location: location, detail: detail)
            return true
        }
    }

    // MARK: Whole

    /// In the order of hashes, which neither growth nor compaction changes.
    func list(after cursor: UInt64?, limit: Int) -> (fragments: [FragmentInfo], next: UInt64?) {
        var fragments: [FragmentInfo] = []
        var last: UInt64?
        var isComplete = true
        let firstShard = Int((cursor ?? 0) >> 56)
        for number in firstShard..<Self.shardCount {
            shards[number].state.withLock { shard in
                shard.table.forEach(after: number == firstShard ? cursor : nil) { entry, hash in
                    // Equal hashes stay on one page, because the cursor cannot tell them apart.
                    if fragments.count >= limit, hash != last {
                        isComplete = false
                        return false
                    }
                    fragments.append(FragmentInfo(id: entry.id, byteCount: entry.location.payloadByteCount))
                    last = hash
                    return true
                }
            }
            if !isComplete { return (fragments, last) }
        }
        return (fragments, nil)
    }

    /// Calls `body` with one shard after the other.
    func forEachShard(_ body: (_ entries: [IndexEntry], _ quarantined: [IndexEntry]) throws -> Void) rethrows {
        for shard in shards {
            let (entries, quarantined) = shard.state.withLock { shard in
                var entries: [IndexEntry] = []
                entries.reserveCapacity(shard.table.count)
                shard.table.forEach(after: nil) { entry, _ in
                    entries.append(entry)
                    return true
                }
                return (entries, shard.quarantined.map { IndexEntry(id: $0.key, location: $0.value.location) })
            }
            try body(entries, quarantined)
        }
    }

    func quarantinedFragments() -> [FragmentID] { shards.flatMap { $0.state.withLock { Array($0.quarantined.keys) } } }

    struct Totals {
        var fragmentCount = 0
        var quarantinedCount = 0
        var payloadByteCount = 0
        /// Memory.
        var byteCount = 0
    }

    func totals() -> Totals {
        var totals = Totals()
        for shard in shards {
            shard.state.withLock { shard in
                totals.fragmentCount += shard.table.count
                totals.quarantinedCount += shard.quarantined.count
                totals.payloadByteCount += shard.payloadByteCount
                totals.byteCount += shard.table.byteCount
            }
        }
        return totals
    }
}
