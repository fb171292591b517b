import Synchronization

/// An open file of a ``SimulatedDisk``; stale after a crash.
final class SimulatedFile: DiskFile {
    private let disk: SimulatedDisk
    private let inode: Int
    private let generation: Int
    private let name: String

    init(disk: SimulatedDisk, inode: Int, generation: Int, name: String) {
        self.disk = disk
        self.inode = inode
        self.generation = generation
        self.name = name
    }

    private func withInode<Result>(
        _ operation: SimulatedDisk.Operation, _ body: (inout SimulatedDisk.Inode, inout SimulatedDisk.State) throws -> sending Result
    ) throws -> sending Result {
        try disk.state.withLock { state in
            try SimulatedDisk.admit(operation, "\(operation) \(name)", &state)
            // Taken out while it is changed, so that its content is not copied.
            guard state.generation == generation, var content = state.inodes.removeValue(forKey: inode) else {
                throw DiskError(operation: "\(operation) \(name)", errno: SimulatedErrno.inputOutput)
            }
            defer { state.inodes[inode] = content }
            return try body(&content, &state)
        }
    }

    func read(into buffer: UnsafeMutableRawBufferPointer, at offset: Int) throws -> Int {
        try withInode(.read) { file, _ in
            let end = min(offset + buffer.count, file.content.count)
            guard offset < end else { return 0 }
            file.content.withUnsafeBytes { buffer.copyMemory(from: UnsafeRawBufferPointer(rebasing: $0[offset..<end])) }
            return end - offset
        }
    }

    func write(_ bytes: UnsafeRawBufferPointer, at offset: Int) throws {
        try withInode(.write) { file, state in
            guard !bytes.isEmpty else { return }
            let end = offset + bytes.count
            try Self.allocate(offset / SimulatedDisk.blockSize...(end - 1) / SimulatedDisk.blockSize, &file, &state, name)
            Self.remember(offset..<end, &file)
            if file.content.count < end { file.content += Self.zeros(end - file.content.count) }
            file.content.withUnsafeMutableBytes {
                UnsafeMutableRawBufferPointer(rebasing: $0[offset..<end]).copyMemory(from: bytes)
            }
        }
    }

    /// Filled at once: unoptimised, a sequence is written element by element, and simulations write much.
    private static func zeros(_ count: Int) -> [UInt8] {
        [UInt8](unsafeUninitializedCapacity: count) { buffer, initialized in
            UnsafeMutableRawBufferPointer(buffer).initializeMemory(as: UInt8.self, repeating: 0)
            initialized = count
        }
    }

    private static func allocate(
        _ blocks: ClosedRange<Int>, _ file: inout SimulatedDisk.Inode, _ state: inout SimulatedDisk.State, _ name: String
    ) throws {
        if file.allocated.count <= blocks.upperBound {
            file.allocated.append(contentsOf: repeatElement(false, count: blocks.upperBound + 1 - file.allocated.count))
        }
        let missing = blocks.count { !file.allocated[$0] }
        guard missing == 0 || (state.allocatedBlockCount + missing) * SimulatedDisk.blockSize <= state.capacityBytes else {
            throw DiskError(operation: "write \(name)", errno: SimulatedErrno.noSpace)
        }
        for block in blocks { file.allocated[block] = true }
        if file.linkCount > 0 { state.allocatedBlockCount += missing }
    }

    /// Keeps what the sectors of `range` held at the last sync.
    private static func remember(_ range: Range<Int>, _ file: inout SimulatedDisk.Inode) {
        let size = SimulatedDisk.sectorSize
        for sector in range.lowerBound / size...(range.upperBound - 1) / size where file.formerSectors[sector] == nil {
            let start = sector * size
            let end = min(start + size, file.content.count, file.durableByteCount)
            file.formerSectors[sector] = start < end ? Array(file.content[start..<end]) : []
        }
    }

    func synchronizeData() throws {
        try withInode(.synchronizeData) { file, _ in
            file.formerSectors = [:]
            file.durableByteCount = file.content.count
        }
    }

    func startWriteback(offset: Int, count: Int) {}

    func dropCache(offset: Int, count: Int) {}

    func truncate(to byteCount: Int) throws {
        try withInode(.truncate) { file, state in
            if byteCount < file.content.count {
                Self.remember(byteCount..<file.content.count, &file)
                file.content.removeLast(file.content.count - byteCount)
                let blocks = (byteCount + SimulatedDisk.blockSize - 1) / SimulatedDisk.blockSize
                Self.free(blocks..<file.allocated.count, &file, &state)
                file.allocated.removeLast(max(0, file.allocated.count - blocks))
            } else {
                file.content += Self.zeros(byteCount - file.content.count)
            }
        }
    }

    func punchHole(offset: Int, count: Int) throws {
        try withInode(.punchHole) { file, state in
            let end = min(offset + count, file.content.count)
            guard offset < end else { return }
            Self.remember(offset..<end, &file)
            for position in offset..<end { file.content[position] = 0 }
            let first = (offset + SimulatedDisk.blockSize - 1) / SimulatedDisk.blockSize
            let last = end / SimulatedDisk.blockSize
            if first < last { Self.free(first..<last, &file, &state) }
        }
    }

    private static func free(_ blocks: Range<Int>, _ file: inout SimulatedDisk.Inode, _ state: inout SimulatedDisk.State) {
        for block in blocks.clamped(to: 0..<file.allocated.count) where file.allocated[block] {
            file.allocated[block] = false
            if file.linkCount > 0 { state.allocatedBlockCount -= 1 }
        }
    }

    func byteCount() throws -> Int { try withInode(.open) { file, _ in file.content.count } }

    func allocatedByteCount() throws -> Int {
        try withInode(.open) { file, _ in file.allocated.count { $0 } * SimulatedDisk.blockSize }
    }
}
