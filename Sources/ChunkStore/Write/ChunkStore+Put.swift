public import Core
internal import NIOCore

extension ChunkStore {
    /// Bytes of a large fragment that are gathered for one write.
    private static let writeByteCount = 512 * 1024

    /// Stores a fragment, replacing one of the same name. Returns once it is durable; until then nobody can see it.
    ///
    /// - Parameters:
    ///   - pieces: the payload; every piece but the last is a whole number of blocks. Read to its end, or cancelled when the
    ///     call fails. When it ends with an error, nothing is stored and that error is thrown.
    ///   - descriptor: opaque, at most ``Limits/maximumDescriptorSize`` bytes; asked for when the payload has ended.
    /// - Throws: ``ChunkStoreError``, or what `pieces` ended with.
    public func put(_ id: FragmentID, pieces: BoundedQueue<Piece>, descriptor: @Sendable () -> [UInt8]) async throws -> FragmentInfo {
        do {
            let info = try await gate.withOperation {
                defer { checkpointIfDue() }
                return try await putWithinGate(id, pieces: pieces, descriptor: descriptor)
            }
            return info
        } catch {
            pieces.cancel()
            throw error
        }
    }

    /// Stores a fragment whose descriptor is known beforehand.
    public func put(_ id: FragmentID, descriptor: [UInt8], pieces: BoundedQueue<Piece>) async throws -> FragmentInfo {
        try await put(id, pieces: pieces) { descriptor }
    }

    private static func checked(_ descriptor: [UInt8], of id: FragmentID) throws -> [UInt8] {
        guard descriptor.count <= Limits.maximumDescriptorSize else {
            throw ChunkStoreError.invalid(detail: "\(id): a descriptor of \(descriptor.count) bytes")
        }
        return descriptor
    }

    private func putWithinGate(
        _ id: FragmentID, pieces: BoundedQueue<Piece>, descriptor: @Sendable () -> [UInt8]
    ) async throws -> FragmentInfo {
        var intake = PieceIntake(id: id, maximumByteCount: engine.configuration.maximumFragmentSize)
        var gathered: [Piece] = []
        while let piece = try await pieces.next() {
            try intake.take(piece)
            gathered.append(piece)
            if intake.byteCount > engine.configuration.smallFragmentLimit {
                return try await putLarge(id, pieces: pieces, intake: intake, gathered: gathered, descriptor: descriptor)
            }
        }
        for piece in gathered where !piece.verify() { throw ChunkStoreError.damagedInTransit(id) }
        let descriptor = try Self.checked(descriptor(), of: id)
        let fragment = SmallRecordWriter.Fragment(
            id: id, pieces: gathered.map(\.bytes), payloadByteCount: intake.byteCount,
            tail: FragmentTail(checksums: intake.checksums, descriptor: descriptor, payloadByteCount: intake.byteCount),
            descriptorByteCount: descriptor.count)
        try await reclaim(try await smallRecords.commit(.fragment(fragment)))
        return FragmentInfo(id: id, byteCount: intake.byteCount)
    }

    private func putLarge(
        _ id: FragmentID, pieces: BoundedQueue<Piece>, intake: PieceIntake, gathered: [Piece], descriptor: @Sendable () -> [UInt8]
    ) async throws -> FragmentInfo {
        try await lanes.withPermit {
            let segment = try await executor.run { [engine] in try engine.segments.lease() }
            defer { engine.segments.release(segment) }
            let writer = LaneWriter(id: id, segment: segment, engine: engine)
            do {
                let (byteCount, garbage) = try await stream(pieces, to: writer, intake: intake, gathered: gathered) {
                    try Self.checked(descriptor(), of: id)
                }
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
        _ pieces: BoundedQueue<Piece>, to writer: LaneWriter, intake: PieceIntake, gathered: [Piece], descriptor: () throws -> [UInt8]
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
        let descriptor = try descriptor()
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
