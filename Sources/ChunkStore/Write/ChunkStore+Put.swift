public import Core
internal import NIOCore

extension ChunkStore {
    /// Bytes of a large fragment that are gathered for one write.
    private static let writeByteCount = 512 * 1024

    /// Stores a fragment, replacing one of the same name. Returns once it is durable; until then nobody can see it.
    ///
    /// - Parameters:
    ///   - descriptor: opaque, at most ``Limits/maximumDescriptorSize`` bytes.
    ///   - pieces: the payload; every piece but the last is a whole number of blocks. Read to its end, or cancelled when the
    ///     call fails. When it ends with an error, nothing is stored and that error is thrown.
    /// - Throws: ``ChunkStoreError``, or what `pieces` ended with.
    public func put(_ id: FragmentID, descriptor: [UInt8], pieces: BoundedQueue<Piece>) async throws -> FragmentInfo {
        do {
            let info = try await gate.withOperation {
                guard descriptor.count <= Limits.maximumDescriptorSize else {
                    throw ChunkStoreError.invalid(detail: "\(id): a descriptor of \(descriptor.count) bytes")
                }
                defer { checkpointIfDue() }
                return try await putWithinGate(id, descriptor: descriptor, pieces: pieces)
            }
            return info
        } catch {
            pieces.cancel()
            throw error
        }
    }

    private func putWithinGate(_ id: FragmentID, descriptor: [UInt8], pieces: BoundedQueue<Piece>) async throws -> FragmentInfo {
        var intake = PieceIntake(id: id, maximumByteCount: engine.configuration.maximumFragmentSize)
        var gathered: [Piece] = []
        while let piece = try await pieces.next() {
            try intake.take(piece)
            gathered.append(piece)
            if intake.byteCount > engine.configuration.smallFragmentLimit {
                return try await putLarge(id, descriptor: descriptor, pieces: pieces, intake: intake, gathered: gathered)
            }
        }
        for piece in gathered where !piece.verify() { throw ChunkStoreError.damagedInTransit(id) }
        let fragment = SmallRecordWriter.Fragment(
            id: id, pieces: gathered.map(\.bytes), payloadByteCount: intake.byteCount,
            tail: FragmentTail(checksums: intake.checksums, descriptor: descriptor, payloadByteCount: intake.byteCount),
            descriptorByteCount: descriptor.count)
        try await reclaim(try await smallRecords.commit(.fragment(fragment)))
        return FragmentInfo(id: id, byteCount: intake.byteCount)
    }

    private func putLarge(
        _ id: FragmentID, descriptor: [UInt8], pieces: BoundedQueue<Piece>, intake: PieceIntake, gathered: [Piece]
    ) async throws -> FragmentInfo {
        try await lanes.withPermit {
            let segment = try await executor.run { [engine] in try engine.segments.lease() }
            defer { engine.segments.release(segment) }
            let writer = LaneWriter(id: id, segment: segment, engine: engine)
            do {
                let (byteCount, garbage) = try await stream(pieces, to: writer, descriptor: descriptor, intake: intake, gathered: gathered)
                try await reclaim(garbage.map { [$0] } ?? [])
                return FragmentInfo(id: id, byteCount: byteCount)
            } catch {
                // Not after the commit: from there on the record counts.
                try await executor.run { writer.abort(error) }
                throw error
            }
        }
    }

    private func stream(
        _ pieces: BoundedQueue<Piece>, to writer: LaneWriter, descriptor: [UInt8], intake: PieceIntake, gathered: [Piece]
    ) async throws -> (byteCount: Int, garbage: Engine.Garbage?) {
        var intake = intake
        var gathered = gathered
        var gatheredByteCount = intake.byteCount
        while let piece = try await pieces.next() {
            if gatheredByteCount >= Self.writeByteCount {
                let batch = gathered
                gathered = []
                gatheredByteCount = 0
                try await executor.run { try writer.write(batch) }
            }
            try intake.take(piece)
            gathered.append(piece)
            gatheredByteCount += piece.bytes.readableBytes
        }
        let (last, checksums) = (gathered, intake.checksums)
        let garbage = try await executor.run {
            try writer.write(last)
            return try writer.commit(checksums: checksums, descriptor: descriptor)
        }
        return (intake.byteCount, garbage)
    }

    /// Gives back the space of dead records, off the calling task's executor.
    func reclaim(_ garbage: [Engine.Garbage]) async throws {
        guard !garbage.isEmpty else { return }
        try await executor.run { [engine] in try engine.reclaim(garbage) }
    }
}
