public import Core
import Synchronization

/// A disk in memory that fails on demand and, on a crash, forgets what was not synced. For tests and simulations.
///
/// Its model: content is kept in sectors of 512 bytes, each of which is written whole or not at all. A crash lets each
/// sector written since the file's last `synchronizeData` survive or vanish, likewise the growth of the file; operations on
/// the directory survive up to a random one of those since the last `synchronizeDirectory` (file systems keep their order).
/// Safe to use from any thread.
public final class SimulatedDisk: Disk {
    /// What can be made to fail.
    public enum Operation: Hashable, Sendable, CaseIterable {
        case open, create, remove, rename, synchronizeDirectory, read, write, synchronizeData, truncate, punchHole
    }

    static let sectorSize = 512
    static let blockSize = 4096

    struct Inode {
        var content: [UInt8] = []
        /// What sectors held at the last sync, for those written since. Sectors beyond ``durableByteCount`` are absent.
        var formerSectors: [Int: [UInt8]] = [:]
        var durableByteCount = 0
        /// Blocks of 4 KiB that take room.
        var allocated: [Bool] = []
        var linkCount = 1
    }

    enum DirectoryChange {
        case add(String, Int)
        case remove(String)
        case rename(String, String)
    }

    struct State {
        var inodes: [Int: Inode] = [:]
        var nextInode = 1
        var names: [String: Int] = [:]
        var durableNames: [String: Int] = [:]
        var directoryChanges: [DirectoryChange] = []
        var allocatedBlockCount = 0
        var capacityBytes: Int
        var generation = 0
        var isPowerLost = false
        var operationsUntilPowerLoss: Int?
        var failing: [Operation: Int32] = [:]
        var counts: [Operation: Int] = [:]
        var locks: [String: Int] = [:]
        var nextLock = 1
    }

    public let path: String
    let state: Mutex<State>

    /// - Parameter capacityBytes: what fits, in whole blocks of 4 KiB.
    public init(path: String = "simulated", capacityBytes: Int = 1 << 40) {
        self.path = path
        state = Mutex(State(capacityBytes: capacityBytes))
    }

    // MARK: Disk

    public func list() throws -> [String] {
        try state.withLock { state in
            try Self.admit(.open, "list", &state)
            return state.names.keys.sorted()
        }
    }

    public func open(_ name: String) throws -> any DiskFile {
        try state.withLock { state in
            try Self.admit(.open, "open \(name)", &state)
            guard let inode = state.names[name] else { throw DiskError(operation: "open \(name)", errno: SimulatedErrno.notFound) }
            return SimulatedFile(disk: self, inode: inode, generation: state.generation, name: name)
        }
    }

    public func create(_ name: String) throws -> any DiskFile {
        try state.withLock { state in
            try Self.admit(.create, "create \(name)", &state)
            guard state.names[name] == nil else { throw DiskError(operation: "create \(name)", errno: SimulatedErrno.exists) }
            let inode = state.nextInode
            state.nextInode += 1
            state.inodes[inode] = Inode()
            state.names[name] = inode
            state.directoryChanges.append(.add(name, inode))
            return SimulatedFile(disk: self, inode: inode, generation: state.generation, name: name)
        }
    }

    public func remove(_ name: String) throws {
        try state.withLock { state in
            try Self.admit(.remove, "remove \(name)", &state)
            guard let inode = state.names.removeValue(forKey: name) else {
                throw DiskError(operation: "remove \(name)", errno: SimulatedErrno.notFound)
            }
            state.directoryChanges.append(.remove(name))
            Self.release(inode, &state)
        }
    }

    public func rename(_ name: String, to newName: String) throws {
        try state.withLock { state in
            try Self.admit(.rename, "rename \(name)", &state)
            guard let inode = state.names.removeValue(forKey: name) else {
                throw DiskError(operation: "rename \(name)", errno: SimulatedErrno.notFound)
            }
            if let replaced = state.names[newName] { Self.release(replaced, &state) }
            state.names[newName] = inode
            state.directoryChanges.append(.rename(name, newName))
        }
    }

    /// A file that has lost its name gives its room back; its content stays for those who have it open, and for a crash
    /// that undoes the removal.
    private static func release(_ inode: Int, _ state: inout State) {
        let blocks = state.inodes[inode]?.allocated.count { $0 } ?? 0
        state.allocatedBlockCount -= blocks
        state.inodes[inode]?.linkCount = 0
    }

    public func synchronizeDirectory() throws {
        try state.withLock { state in
            try Self.admit(.synchronizeDirectory, "synchronize directory", &state)
            state.durableNames = state.names
            state.directoryChanges = []
        }
    }

    public func lock(_ name: String) throws -> (any DiskLock)? {
        try state.withLock { state in
            try Self.admit(.open, "lock \(name)", &state)
            guard state.locks[name] == nil else { return nil }
            defer { state.nextLock += 1 }
            state.locks[name] = state.nextLock
            return SimulatedLock(disk: self, name: name, number: state.nextLock)
        }
    }

    fileprivate func release(lock name: String, number: Int) {
        state.withLock { state in
            if state.locks[name] == number { state.locks[name] = nil }
        }
    }

    public func space() throws -> DiskSpace {
        state.withLock { state in
            DiskSpace(
                capacityBytes: state.capacityBytes,
                availableBytes: max(0, state.capacityBytes - state.allocatedBlockCount * Self.blockSize))
        }
    }

    /// Counts an operation and fails it where it is to fail.
    static func admit(_ operation: Operation, _ name: @autoclosure () -> String, _ state: inout State) throws {
        state.counts[operation, default: 0] += 1
        if operation != .read, operation != .open, let left = state.operationsUntilPowerLoss {
            if left == 0 { state.isPowerLost = true }
            state.operationsUntilPowerLoss = max(0, left - 1)
        }
        if state.isPowerLost { throw DiskError(operation: name(), errno: SimulatedErrno.inputOutput) }
        if let number = state.failing[operation] { throw DiskError(operation: name(), errno: number) }
    }
}

// MARK: Faults

extension SimulatedDisk {
    /// Makes operations fail with EIO until ``heal()``. Failed ones have no effect.
    public func fail(_ operations: Set<Operation>) {
        state.withLock { state in
            for operation in operations { state.failing[operation] = SimulatedErrno.inputOutput }
        }
    }

    /// Ends ``fail(_:)``.
    public func heal() { state.withLock { $0.failing = [:] } }

    /// What fits from now on, in bytes; may be less than what is stored.
    public func setCapacity(_ bytes: Int) { state.withLock { $0.capacityBytes = bytes } }

    /// Lets `count` more operations that change something succeed, and every later call fail: as if the power went, or
    /// the process was killed. Follow with ``crash(random:)`` or ``killProcess()``.
    public func losePower(afterOperations count: Int) { state.withLock { $0.operationsUntilPowerLoss = count } }

    /// Whether ``losePower(afterOperations:)`` has struck.
    public var isPowerLost: Bool { state.withLock { $0.isPowerLost } }

    /// Calls so far, the failed ones included.
    public func count(of operation: Operation) -> Int { state.withLock { $0.counts[operation] ?? 0 } }

    /// Whole content of a file, as a read would see it. nil when there is none of that name.
    public func content(of name: String) -> [UInt8]? {
        state.withLock { state in state.names[name].flatMap { state.inodes[$0]?.content } }
    }

    /// Replaces a byte of a file, durably.
    public func overwrite(file name: String, offset: Int, with byte: UInt8) {
        state.withLock { state in
            guard let inode = state.names[name], let count = state.inodes[inode]?.content.count, offset < count else { return }
            state.inodes[inode]?.content[offset] = byte
        }
    }

    /// Flips a bit of a file, durably, as a decaying disk does.
    /// - Parameter bit: 0 to 7.
    public func flipBit(file name: String, offset: Int, bit: Int = 0) {
        state.withLock { state in
            guard let inode = state.names[name], let count = state.inodes[inode]?.content.count, offset < count else { return }
            state.inodes[inode]?.content[offset] ^= 1 << UInt8(bit)
        }
    }

    /// Flips a random bit of a random file whose name ends with `suffix`.
    /// - Returns: where; nil when there is no such file with content.
    @discardableResult
    public func flipRandomBit(suffix: String = ".segment", random: SeededRandom) -> (file: String, offset: Int)? {
        let files = state.withLock { state in
            state.names.filter { $0.key.hasSuffix(suffix) }.map { ($0.key, state.inodes[$0.value]?.content.count ?? 0) }
        }
        let candidates = files.filter { $0.1 > 0 }.sorted { $0.0 < $1.0 }
        guard !candidates.isEmpty else { return nil }
        let (name, count) = candidates[random.next(in: 0..<candidates.count)]
        let offset = random.next(in: 0..<count)
        flipBit(file: name, offset: offset, bit: random.next(in: 0..<8))
        return (name, offset)
    }

    /// Loses power and starts again: what was not synced survives at random, open files are stale, locks are free.
    public func crash(random: SeededRandom) {
        state.withLock { state in
            Self.loseDirectoryChanges(random, &state)
            for number in state.inodes.keys.sorted() {
                guard let inode = state.inodes[number] else { continue }
                state.inodes[number] = Self.afterCrash(inode, random)
            }
            let linked = Set(state.names.values)
            state.inodes = state.inodes.filter { linked.contains($0.key) }
            state.allocatedBlockCount = state.inodes.values.reduce(0) { $0 + $1.allocated.count { $0 } }
            state.durableNames = state.names
            state.generation += 1
            state.isPowerLost = false
            state.operationsUntilPowerLoss = nil
            state.failing = [:]
            state.locks = [:]
        }
    }

    /// Ends the process that uses the disk and starts another one: nothing written is lost, but nothing more is durable than
    /// before; open files are stale, locks are free.
    public func killProcess() {
        state.withLock { state in
            state.generation += 1
            state.isPowerLost = false
            state.operationsUntilPowerLoss = nil
            state.failing = [:]
            state.locks = [:]
        }
    }

    private static func loseDirectoryChanges(_ random: SeededRandom, _ state: inout State) {
        var names = state.durableNames
        for change in state.directoryChanges.prefix(random.next(in: 0..<state.directoryChanges.count + 1)) {
            switch change {
            case .add(let name, let inode): names[name] = inode
            case .remove(let name): names[name] = nil
            case .rename(let name, let newName): names[newName] = names.removeValue(forKey: name)
            }
        }
        state.names = names
        state.directoryChanges = []
    }

    private static func afterCrash(_ inode: Inode, _ random: SeededRandom) -> Inode {
        var inode = inode
        inode.linkCount = 1
        // All, none or a random part: the extremes happen as often as the mixture.
        let mode = random.next(in: 0..<3)
        func survives() -> Bool { mode == 0 ? true : mode == 1 ? false : random.next() & 1 == 0 }
        var byteCount = inode.content.count
        if byteCount != inode.durableByteCount, !survives() {
            let (low, high) = (min(byteCount, inode.durableByteCount), max(byteCount, inode.durableByteCount))
            byteCount = mode == 2 ? random.next(in: low..<high + 1) : inode.durableByteCount
        }
        if byteCount > inode.content.count { inode.content.append(contentsOf: repeatElement(0, count: byteCount - inode.content.count)) }
        for sector in inode.formerSectors.keys.sorted() where !survives() {
            guard let former = inode.formerSectors[sector] else { continue }
            let start = sector * sectorSize
            for position in start..<max(start, min(start + sectorSize, inode.content.count)) {
                inode.content[position] = position - start < former.count ? former[position - start] : 0
            }
        }
        if byteCount < inode.content.count { inode.content.removeLast(inode.content.count - byteCount) }
        inode.formerSectors = [:]
        inode.durableByteCount = byteCount
        let blocks = (byteCount + blockSize - 1) / blockSize
        inode.allocated = (0..<blocks).map { $0 < inode.allocated.count ? inode.allocated[$0] : true }
        return inode
    }
}

private final class SimulatedLock: DiskLock {
    private let disk: SimulatedDisk
    private let name: String
    private let number: Int

    init(disk: SimulatedDisk, name: String, number: Int) {
        self.disk = disk
        self.name = name
        self.number = number
    }

    func release() { disk.release(lock: name, number: number) }
}

/// The error numbers that the simulation gives, by the names of the system's.
enum SimulatedErrno {
    static let notFound = ENOENT
    static let exists = EEXIST
    static let inputOutput = EIO
    static let noSpace = ENOSPC
}

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif
