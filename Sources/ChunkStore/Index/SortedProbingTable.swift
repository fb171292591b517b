package import Core

/// An open-addressing hash table of ``IndexEntry`` that keeps its entries sorted by hash.
///
/// An entry's home slot grows with its hash, and entries pushed away from home by others keep the order (linear probing
/// with ordered insertion: Amble, Knuth, "Ordered hash tables", 1974). So a search ends at the first larger hash, and a
/// listing in the order of hashes goes on correctly after the table has grown. Slots beyond the last home catch what is
/// pushed over the end. Kept between 71 and 85 percent full: at most 46 bytes an entry.
package struct SortedProbingTable: Sendable {
    private static let maximumLoadPercent = 85
    private static let minimumHomeCount = 8

    package private(set) var count = 0
    private var slots: [IndexEntry]
    /// Slots that a hash can name.
    private var homeCount: Int
    private let salt: UInt64

    /// Bytes of memory.
    package var byteCount: Int { slots.count * IndexEntry.byteCount }

    package init(salt: UInt64, capacity: Int = 0) {
        self.salt = salt
        homeCount = max(Self.minimumHomeCount, capacity * 100 / Self.maximumLoadPercent + 1)
        slots = Array(repeating: .empty, count: Self.slotCount(homeCount: homeCount))
    }

    private static func slotCount(homeCount: Int) -> Int { homeCount + 16 + homeCount / 64 }

    /// The upper eight bits chose the shard: the others choose the slot, and the order.
    private static func order(_ hash: UInt64) -> UInt64 { hash << 8 }

    private static func home(_ hash: UInt64, homeCount: Int) -> Int {
        Int(order(hash).multipliedFullWidth(by: UInt64(homeCount)).high)
    }

    package func find(_ id: FragmentID, hash: UInt64) -> FragmentLocation? { slot(of: id, hash: hash).map { slots[$0].location } }

    private func slot(of id: FragmentID, hash: UInt64) -> Int? {
        var slot = Self.home(hash, homeCount: homeCount)
        while slot < slots.count, !slots[slot].isEmpty {
            if slots[slot].isNamed(id) { return slot }
            if Self.order(slots[slot].hash(salt: salt)) > Self.order(hash) { return nil }
            slot += 1
        }
        return nil
    }

    /// - Returns: where the fragment was before.
    package mutating func set(_ entry: IndexEntry, hash: UInt64) -> FragmentLocation? {
        if let slot = slot(of: entry.id, hash: hash) {
            defer { slots[slot] = entry }
            return slots[slot].location
        }
        if (count + 1) * 100 > homeCount * Self.maximumLoadPercent { grow() }
        while !insert(entry, hash: hash) { grow() }
        count += 1
        return nil
    }

    /// - Returns: false when the slots beyond the last home are used up.
    private mutating func insert(_ entry: IndexEntry, hash: UInt64) -> Bool {
        var place = Self.home(hash, homeCount: homeCount)
        while place < slots.count, !slots[place].isEmpty, Self.order(slots[place].hash(salt: salt)) <= Self.order(hash) { place += 1 }
        var free = place
        while free < slots.count, !slots[free].isEmpty { free += 1 }
        guard free < slots.count else { return false }
        while free > place {
            slots[free] = slots[free - 1]
            free -= 1
        }
        slots[place] = entry
        return true
    }

    package mutating func remove(_ id: FragmentID, hash: UInt64) -> FragmentLocation? {
        guard var hole = slot(of: id, hash: hash) else { return nil }
        let location = slots[hole].location
        while hole + 1 < slots.count, !slots[hole + 1].isEmpty,
            Self.home(slots[hole + 1].hash(salt: salt), homeCount: homeCount) <= hole
        {
            slots[hole] = slots[hole + 1]
            hole += 1
        }
        slots[hole] = .empty
        count -= 1
        return location
    }

    private mutating func grow() {
        var newHomeCount = homeCount
        while true {
            newHomeCount = newHomeCount * 6 / 5 + 1
            if let grown = rebuilt(homeCount: newHomeCount) {
                slots = grown
                homeCount = newHomeCount
                return
            }
        }
    }

    private func rebuilt(homeCount: Int) -> [IndexEntry]? {
        var grown = [IndexEntry](repeating: .empty, count: Self.slotCount(homeCount: homeCount))
        var free = 0
        for entry in slots where !entry.isEmpty {
            let place = max(free, Self.home(entry.hash(salt: salt), homeCount: homeCount))
            guard place < grown.count else { return nil }
            grown[place] = entry
            free = place + 1
        }
        return grown
    }

    /// Calls `body` with the entries whose hash is greater than `cursor` (all for nil), in the order of hashes, until it
    /// answers false.
    package func forEach(after cursor: UInt64?, _ body: (IndexEntry, _ hash: UInt64) -> Bool) {
        var slot = cursor.map { Self.home($0, homeCount: homeCount) } ?? 0
        while slot < slots.count {
            defer { slot += 1 }
            let entry = slots[slot]
            if entry.isEmpty { continue }
            let hash = entry.hash(salt: salt)
            if let cursor, Self.order(hash) <= Self.order(cursor) { continue }
            if !body(entry, hash) { return }
        }
    }
}
