internal import Core
internal import ErasureCoding
internal import NIOCore
import Synchronization

/// Computes a fragment of an erasure-coded chunk from others that peers have, a window at a time.
///
/// All fragments of a chunk are equally long, and byte `n` of one depends on byte `n` of the others only: so windows need not know
/// how the chunk was cut.
struct FragmentReconstruction: Sendable {
    /// Bytes of each fragment that are fetched at once: a window is a call for every fragment it takes, so it is as large as a piece.
    private static let windowSize = Piece.maximumSize
    /// Windows computed, and not yet written.
    static let piecesInFlight = 2

    let fragment: FragmentID
    let coder: ErasureCoder
    let peers: any PeerDialer

    /// What is read, and from whom.
    struct Plan: Sendable {
        let byteCount: Int
        let descriptor: [UInt8]
        /// One for each fragment that was found, more than needed perhaps.
        let sources: [Source]
    }

    struct Source: Sendable {
        let number: Int
        let transport: any ChunkTransport
    }

    /// Finds out who has what.
    /// - Throws: ``NodeError/noSource(_:detail:)`` when fewer fragments than needed can be had.
    func plan(_ sources: [FragmentSource]) async throws -> Plan {
        let questions = sources.map(Question.init)
        await withDiscardingTaskGroup { group in
            for question in questions { group.addTask { question.answer(await find(question.source)) } }
        }
        let found = questions.compactMap(\.found)
        try Task.checkCancellation()
        let present = found.compactMap(\.source)
        // Of fragments that differ in length some are not what they should be: those are believed of which there are most.
        let byLength = Dictionary(grouping: present, by: \.byteCount)
        let agreeing = byLength.max { ($0.value.count, $0.key) < ($1.value.count, $1.key) }?.value ?? []
        guard agreeing.count >= coder.code.dataCount, let first = agreeing.first else {
            let detail = found.compactMap(\.failure).joined(separator: "; ")
            throw NodeError.noSource(
                fragment, detail: "\(agreeing.count) of the \(coder.code.dataCount) fragments needed can be had; \(detail)")
        }
        return Plan(
            byteCount: first.byteCount, descriptor: first.descriptor,
            sources: agreeing.map { Source(number: $0.number, transport: $0.transport) })
    }

    private final class Question: Sendable {
        let source: FragmentSource
        private let state = Mutex<Found?>(nil)

        init(_ source: FragmentSource) { self.source = source }

        var found: Found? { state.withLock { $0 } }
        func answer(_ found: Found) { state.withLock { $0 = found } }
    }

    private struct Found: Sendable {
        var source: Present?
        var failure: String?
    }

    private struct Present: Sendable {
        let number: Int
        let transport: any ChunkTransport
        let byteCount: Int
        let descriptor: [UInt8]
    }

    private func find(_ source: FragmentSource) async -> Found {
        let id = FragmentID(chunk: fragment.chunk, number: source.number)
        var failures: [String] = []
        for peer in source.peers {
            do {
                let transport = try await peers.transport(to: peer)
                guard let info = try await transport.stat(id) else {
                    failures.append("\(peer.id): has no \(id)")
                    continue
                }
                let descriptor = try await transport.descriptor(of: id)
                return Found(
                    source: Present(number: Int(source.number), transport: transport, byteCount: info.byteCount, descriptor: descriptor))
            } catch {
                failures.append("\(peer.id): \(error)")
            }
        }
        return Found(failure: failures.joined(separator: "; "))
    }

    /// Sends the fragment's pieces and ends the queue, with an error when it cannot be computed.
    func run(_ plan: Plan, into pieces: BoundedQueue<Piece>) async {
        do {
            var reading = Array(plan.sources.prefix(coder.code.dataCount))
            var spare = plan.sources.dropFirst(coder.code.dataCount)
            var offset = 0
            while offset < plan.byteCount {
                let range = offset..<min(offset + Self.windowSize, plan.byteCount)
                let (cells, failures) = await fetch(range, from: reading)
                try Task.checkCancellation()
                if !failures.isEmpty {
                    reading.removeAll { failures.keys.contains($0.number) }
                    while reading.count < coder.code.dataCount, let next = spare.popFirst() { reading.append(next) }
                    guard reading.count == coder.code.dataCount else {
                        let detail = failures.sorted { $0.key < $1.key }.map { "fragment \($0.key): \($0.value)" }
                        throw NodeError.noSource(fragment, detail: detail.joined(separator: "; "))
                    }
                    continue
                }
                let number = Int(fragment.number)
                let computed = try coder.reconstruct([number], from: cells, cellSize: range.count)
                guard let bytes = computed[number] else { throw NodeError.noSource(fragment, detail: "nothing was computed") }
                try await pieces.send(Piece(checksumming: bytes))
                offset = range.upperBound
            }
            pieces.finish()
        } catch is BoundedQueue<Piece>.Cancelled {
            // The store has stopped taking pieces, and says why.
        } catch {
            pieces.finish(throwing: error)
        }
    }

    /// The same range of several fragments, side by side.
    ///
    /// Each task leaves what it got in an object of its own. Returned from the group as tuples of a number and a `Result<ByteBuffer, _>`,
    /// the bytes came under wrong numbers in optimised builds (Swift 6.3.1): the simulation, run in release, found it.
    private func fetch(_ range: Range<Int>, from sources: [Source]) async -> (cells: [Int: ByteBuffer], failures: [Int: any Error]) {
        let cells = sources.map { Cell(source: $0) }
        await withDiscardingTaskGroup { group in
            for cell in cells { group.addTask { await fetch(range, into: cell) } }
        }
        var found: [Int: ByteBuffer] = [:]
        var failures: [Int: any Error] = [:]
        for cell in cells {
            let (bytes, failure) = cell.outcome
            if let failure { failures[cell.source.number] = failure } else { found[cell.source.number] = bytes }
        }
        return (found, failures)
    }

    /// A fragment's part of a window, as it arrives.
    private final class Cell: Sendable {
        private struct State {
            var bytes = ByteBuffer()
            var failure: (any Error)?
        }

        let source: Source
        private let state = Mutex(State())

        init(source: Source) { self.source = source }

        var outcome: (bytes: ByteBuffer, failure: (any Error)?) { state.withLock { ($0.bytes, $0.failure) } }
        func append(_ bytes: ByteBuffer) { state.withLock { _ = $0.bytes.writeImmutableBuffer(bytes) } }
        func fail(_ error: any Error) { state.withLock { $0.failure = error } }
    }

    private func fetch(_ range: Range<Int>, into cell: Cell) async {
        let id = FragmentID(chunk: fragment.chunk, number: UInt8(cell.source.number))
        do {
            // Windows begin at a block, so what comes is what was asked for.
            _ = try await cell.source.transport.get(id, range: range) { cell.append($0.bytes) }
            guard cell.outcome.bytes.readableBytes == range.count else { throw NodeError.damagedInTransit(id) }
        } catch {
            cell.fail(error)
        }
    }
}
