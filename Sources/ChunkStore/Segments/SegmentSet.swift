internal import Core
import Synchronization

/// All segments of a store, and who writes to which. Safe to use from any thread.
final class SegmentSet: Sendable {
    private struct State {
        var segments: [UInt32: Segment]
        var nextNumber: UInt32
        /// Segments with room that nobody writes to, the most recently used last.
        var idle: [UInt32]
        var leased: Set<UInt32> = []
    }

    private let disk: any Disk
    private let random: any RandomSource
    private let segmentSize: Int
    private let state: Mutex<State>

    init(segments: [Segment], nextNumber: UInt32, segmentSize: Int, disk: any Disk, random: any RandomSource) {
        self.disk = disk
        self.random = random
        self.segmentSize = segmentSize
        let table = Dictionary(uniqueKeysWithValues: segments.map { ($0.number, $0) })
        let idle = segments.filter { Self.hasRoom($0, segmentSize) }.map(\.number).sorted()
        state = Mutex(State(segments: table, nextNumber: nextNumber, idle: idle))
    }

    private static func hasRoom(_ segment: Segment, _ segmentSize: Int) -> Bool {
        !segment.isSealed.load(ordering: .acquiring) && segment.byteCount < segmentSize
    }

    func hasRoom(_ segment: Segment) -> Bool { Self.hasRoom(segment, segmentSize) }

    subscript(number: UInt32) -> Segment? { state.withLock { $0.segments[number] } }

    func all() -> [Segment] { state.withLock { Array($0.segments.values) } }

    /// All segments, and a number below which there are no others: neither to be made nor being made.
    func allAndNextNumber() -> ([Segment], nextNumber: UInt32) {
        state.withLock { state in
            let inTheMaking = state.leased.filter { state.segments[$0] == nil }
            return (Array(state.segments.values), inTheMaking.min() ?? state.nextNumber)
        }
    }

    /// Gives the caller a segment to append to, and to no one else until ``release(_:)``. Waits for the disk when it has to
    /// make one.
    /// - Throws: ``DiskError``.
    func lease() throws -> Segment {
        let (found, number) = state.withLock { state -> (Segment?, UInt32) in
            while let number = state.idle.popLast() {
                guard let segment = state.segments[number], hasRoom(segment) else { continue }
                state.leased.insert(number)
                return (segment, number)
            }
            defer { state.nextNumber += 1 }
            // Taken from here on, so that the number is not in use when the file appears.
            state.leased.insert(state.nextNumber)
            return (nil, state.nextNumber)
        }
        if let found { return found }
        do {
            guard number <= SegmentName.maximumNumber else {
                throw ChunkStoreError.diskFull(detail: "\(disk.path): all 2^24 segment numbers are used up")
            }
            let segment = try Segment.create(number: number, salt: random.next(), disk: disk)
            state.withLock { $0.segments[number] = segment }
            return segment
        } catch {
            _ = state.withLock { $0.leased.remove(number) }
            throw error
        }
    }

    /// Ends a lease.
    func release(_ segment: Segment) {
        state.withLock { state in
            state.leased.remove(segment.number)
            if hasRoom(segment) { state.idle.append(segment.number) }
        }
    }

    /// Leases those segments that nobody writes to and that `isWanted` picks, for them to be emptied.
    func leaseForRemoval(where isWanted: (Segment) -> Bool) -> [Segment] {
        state.withLock { state in
            let chosen = state.segments.values.filter { !state.leased.contains($0.number) && isWanted($0) }
            let numbers = Set(chosen.map(\.number))
            state.leased.formUnion(numbers)
            state.idle.removeAll { numbers.contains($0) }
            return chosen.sorted { $0.number < $1.number }
        }
    }

    /// Takes segments out of the set; their files are the caller's to remove.
    func forget(_ segments: [Segment]) {
        state.withLock { state in
            for segment in segments {
                state.segments[segment.number] = nil
                state.leased.remove(segment.number)
            }
        }
    }
}
