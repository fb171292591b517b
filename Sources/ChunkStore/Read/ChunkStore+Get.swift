public import Core
internal import NIOCore

extension ChunkStore {
    /// Payload that one read takes from the disk, and the size of the pieces delivered.
    private static let readByteCount = Piece.maximumSize

    /// Reads a fragment, verified block by block.
    ///
    /// - Parameters:
    ///   - range: bytes of the payload, nil for all. What is delivered covers the whole blocks that `range` touches.
    ///   - deliver: gets the pieces in order; the next one is read meanwhile. What it throws ends the call and is thrown on.
    /// - Throws: ``ChunkStoreError/notFound(_:)``, ``ChunkStoreError/corrupt(_:detail:)`` (from then on the fragment is
    ///   quarantined), ``ChunkStoreError/invalid(detail:)`` for a range beyond the payload.
    public func get(
        _ id: FragmentID, range: Range<Int>?, deliver: @Sendable (Piece) async throws -> Void
    ) async throws -> FragmentInfo {
        try await get(id, range: range, leavesUnread: false) { piece in
            if case .verified(let piece) = piece { try await deliver(piece) }
        }
    }

    /// Reads a fragment for one who verifies it: what lies in memory may be named rather than read.
    ///
    /// Whoever finds something wrong in it asks with ``get(_:range:deliver:)``, which tells why.
    /// - Throws: like ``get(_:range:deliver:)``.
    public func getUnverified(
        _ id: FragmentID, range: Range<Int>?, deliver: @Sendable (StoredPiece) async throws -> Void
    ) async throws -> FragmentInfo {
        try await get(id, range: range, leavesUnread: true, deliver: deliver)
    }

    private func get(
        _ id: FragmentID, range: Range<Int>?, leavesUnread: Bool, deliver: @Sendable (StoredPiece) async throws -> Void
    ) async throws -> FragmentInfo {
        try gate.enter()
        defer { gate.leave() }
        // Another record of the same name holds the same bytes: after a move the reading goes on where it was.
        var position: Int?
        while true {
            let location = try locate(id)
            if let range, range.upperBound > location.payloadByteCount {
                throw ChunkStoreError.invalid(detail: "\(id): bytes \(range) of \(location.payloadByteCount)")
            }
            let wanted = range ?? 0..<location.payloadByteCount
            let start = position ?? wanted.lowerBound / Piece.blockSize * Piece.blockSize
            let end =
                wanted.isEmpty
                ? start
                : min(
                    (wanted.upperBound + Piece.blockSize - 1) / Piece.blockSize * Piece.blockSize, location.payloadByteCount)
            do {
                position = start
                var reader = try reader(id, location)
                reader.leavesUnread = leavesUnread
                try await read(reader, from: start, to: end) { piece in
                    try await deliver(piece)
                    position = (position ?? start) + piece.byteCount
                }
                return FragmentInfo(id: id, byteCount: location.payloadByteCount)
            } catch let damage as RecordReader.Damage {
                try quarantine(id, location, damage)
            }
        }
    }

    /// The descriptor that the fragment was put with.
    /// - Throws: like ``get(_:range:deliver:)``.
    public func descriptor(of id: FragmentID) async throws -> [UInt8] {
        try gate.enter()
        defer { gate.leave() }
        while true {
            let location = try locate(id)
            do {
                let reader = try reader(id, location)
                return try await executor.run { try reader.readDescriptor() }
            } catch let damage as RecordReader.Damage {
                try quarantine(id, location, damage)
            }
        }
    }

    private func locate(_ id: FragmentID) throws -> FragmentLocation {
        switch engine.index.lookup(id) {
        case .found(let location): return location
        case .quarantined(let detail): throw ChunkStoreError.corrupt(id, detail: detail)
        case .absent: throw ChunkStoreError.notFound(id)
        }
    }

    func reader(_ id: FragmentID, _ location: FragmentLocation) throws -> RecordReader {
        guard let segment = engine.segments[location.segment] else { throw RecordReader.Damage(detail: "its segment is gone") }
        return RecordReader(id: id, location: location, segment: segment)
    }

    /// Returns when the fragment has meanwhile gone elsewhere, so that the read can be tried there.
    /// - Throws: ``ChunkStoreError/corrupt(_:detail:)`` otherwise.
    func quarantine(_ id: FragmentID, _ location: FragmentLocation, _ damage: RecordReader.Damage) throws {
        guard engine.quarantine(id, at: location, detail: damage.detail) else { return }
        throw ChunkStoreError.corrupt(id, detail: damage.detail)
    }

    /// What the system has in memory is read at once, up to ``Configuration/inlineReadLimit``: to have another thread do it costs more than the
    /// reading. From the first that it does not have, the executor reads, one piece ahead of the one that is delivered.
    private func read(
        _ reader: RecordReader, from start: Int, to end: Int, deliver: (StoredPiece) async throws -> Void
    ) async throws {
        let firstEnd = min(start + Self.readByteCount, end)
        // The executor is entered once at most for a small fragment.
        var isCached = true
        let first: (table: [UInt32], piece: StoredPiece?)
        if let read = try inline(firstEnd - start, reader, { try $0.findFirst(start..<firstEnd) }) {
            first = read
        } else {
            isCached = false
            first = try await executor.run { try reader.findFirst(start..<firstEnd) }
        }
        var next = first.piece
        var position = firstEnd
        while let piece = next {
            guard position < end else {
                try await deliver(piece)
                break
            }
            try Task.checkCancellation()
            let range = position..<min(position + Self.readByteCount, end)
            position = range.upperBound
            if isCached {
                try await deliver(piece)
                next = try inline(range.count, reader) { try $0.find(range, table: first.table) }
                if next != nil { continue }
                isCached = false
                next = try await executor.run { try reader.find(range, table: first.table) }
            } else {
                async let following = executor.run { try reader.find(range, table: first.table) }
                try await deliver(piece)
                next = try await following
            }
        }
    }

    /// - Returns: nil when the system does not have it, or it is too much to be read here.
    private func inline<Value>(_ byteCount: Int, _ reader: RecordReader, _ read: (RecordReader) throws -> Value) throws -> Value? {
        guard byteCount <= engine.configuration.inlineReadLimit else { return nil }
        var hasty = reader
        hasty.isHasty = true
        do {
            return try read(hasty)
        } catch is RecordReader.NotCached {
            return nil
        }
    }
}
