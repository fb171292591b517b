public import Core

/// One read of a scrub.
public struct ScrubRead: Hashable, Sendable {
    public let byteCount: Int
    /// How long the disk took.
    public let duration: Duration
}

extension ChunkStore {
    private static let scrubReadByteCount = 512 * 1024
    /// Bytes after a payload that are dropped from the cache with it: its checksums and its descriptor, about.
    private static let tailByteCount = 64 * 1024

    /// Reads a fragment again, from the disk rather than from memory, and quarantines it if it is not what was written.
    /// - Parameter pace: called after every read: the place to wait. What it throws ends the call and is thrown on.
    /// - Returns: whether the fragment was found corrupt. One that is gone, or was quarantined before, is not.
    public func scrub(_ id: FragmentID, pace: (ScrubRead) async throws -> Void) async throws -> Bool {
        try gate.enter()
        defer { gate.leave() }
        // What was moved meanwhile is read where it is now.
        while case .found(let location) = engine.index.lookup(id) {
            do {
                try await scrub(id, location, pace: pace)
                return false
            } catch let damage as RecordReader.Damage {
                if engine.quarantine(id, at: location, detail: damage.detail) { return true }
            }
        }
        return false
    }

    private func scrub(_ id: FragmentID, _ location: FragmentLocation, pace: (ScrubRead) async throws -> Void) async throws {
        let reader = try reader(id, location)
        reader.segment.file.dropCache(offset: location.offset, count: location.payloadByteCount + Self.tailByteCount)
        let end = location.payloadByteCount
        var position = min(Self.scrubReadByteCount, end)
        let table = try await timed(position, pace: pace) { [position] in
            _ = try reader.readDescriptor()
            return try reader.readFirst(0..<position).table
        }
        while position < end {
            try Task.checkCancellation()
            let range = position..<min(position + Self.scrubReadByteCount, end)
            _ = try await timed(range.count, pace: pace) { try reader.read(range, table: table) }
            position = range.upperBound
        }
    }

    private func timed<Value: Sendable>(
        _ byteCount: Int, pace: (ScrubRead) async throws -> Void, _ read: @escaping @Sendable () throws -> Value
    ) async throws -> Value {
        let (value, duration) = try await executor.run { [time] in
            let start = time.monotonicNow()
            return (try read(), time.monotonicNow() - start)
        }
        try await pace(ScrubRead(byteCount: byteCount, duration: duration))
        return value
    }
}
