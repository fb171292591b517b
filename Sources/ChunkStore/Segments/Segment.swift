internal import Core
import Synchronization

/// An open segment. Whoever has leased it appends to it; anyone reads it, and erases records in it.
///
/// The file stays open for as long as somebody refers to the segment, also after its removal from the directory.
final class Segment: Sendable {
    let number: UInt32
    let salt: UInt64
    let file: any DiskFile

    /// The end of the last record that is durable and in the index.
    let committedOffset: Atomic<Int>
    /// Bytes of records that the index names.
    let liveByteCount = Atomic<Int>(0)
    /// Set after a failed write: nothing is appended any more.
    let isSealed = Atomic<Bool>(false)
    /// Whether something was written that no fdatasync followed.
    let isDirty = Atomic<Bool>(false)
    /// Bytes given back to the file system.
    let punchedByteCount: Atomic<Int>

    var name: String { SegmentName.make(number) }

    init(number: UInt32, salt: UInt64, file: any DiskFile, committedOffset: Int, punchedByteCount: Int = 0) {
        self.number = number
        self.salt = salt
        self.file = file
        self.committedOffset = Atomic(committedOffset)
        self.punchedByteCount = Atomic(punchedByteCount)
    }

    /// Makes the file of a new segment, durable with its name.
    static func create(number: UInt32, salt: UInt64, disk: any Disk) throws -> Segment {
        let name = SegmentName.make(number)
        let file = try disk.create(name)
        do {
            try SegmentHeader(number: number, salt: salt).encoded().withUnsafeBytes { try file.write($0, at: 0) }
            try file.synchronizeData()
            try disk.synchronizeDirectory()
        } catch {
            // What cannot be removed now is recognised by its lack of records at the next start.
            try? disk.remove(name)
            throw error
        }
        return Segment(number: number, salt: salt, file: file, committedOffset: SegmentHeader.byteCount)
    }

    var byteCount: Int { committedOffset.load(ordering: .acquiring) }
    var usedByteCount: Int { max(0, byteCount - punchedByteCount.load(ordering: .relaxed)) }

    func seal() { isSealed.store(true, ordering: .releasing) }

    /// - Returns: nil when there is no intact header at `offset`.
    func header(at offset: Int) throws -> RecordHeader? {
        try withUnsafeTemporaryAllocation(byteCount: RecordHeader.byteCount, alignment: 8) { bytes in
            guard try file.read(into: bytes, at: offset) == bytes.count else { return nil }
            return RecordHeader.decode(UnsafeRawBufferPointer(bytes), salt: salt, offset: offset)
        }
    }

    /// Marks the record at `offset` as erased and gives its payload's space back. Not durable by itself.
    ///
    /// Does nothing when there is no record of a fragment at `offset`.
    func erase(at offset: Int) throws {
        guard var header = try header(at: offset), header.kind == .fragment else { return }
        header.kind = .erased
        try withUnsafeTemporaryAllocation(byteCount: RecordHeader.byteCount, alignment: 8) { bytes in
            header.encode(into: bytes, salt: salt, offset: offset)
            try file.write(UnsafeRawBufferPointer(bytes), at: offset)
        }
        isDirty.store(true, ordering: .releasing)
        let blockSize = 4096
        let start = (offset + RecordHeader.byteCount + blockSize - 1) / blockSize * blockSize
        let end = (offset + header.tableOffset) / blockSize * blockSize
        if start < end {
            try file.punchHole(offset: start, count: end - start)
            punchedByteCount.add(end - start, ordering: .relaxed)
        }
    }

    /// Makes durable what was written since the last time. A failure is final: it seals the segment.
    func synchronizeIfDirty() throws {
        guard isDirty.exchange(false, ordering: .acquiringAndReleasing) else { return }
        do {
            try file.synchronizeData()
        } catch {
            seal()
            throw error
        }
    }

    /// Undoes what was appended after the last commit, for the next writer to begin there.
    /// - Returns: false when that failed: then the segment is sealed.
    func discardUncommitted() -> Bool {
        isDirty.store(true, ordering: .releasing)
        do {
            try file.truncate(to: byteCount)
            return true
        } catch {
            seal()
            return false
        }
    }
}
