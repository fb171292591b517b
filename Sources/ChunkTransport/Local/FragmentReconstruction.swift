internal import Core
internal import ErasureCoding
internal import NIOCore
import Synchronization

/// Computes a fragment of an erasure-coded chunk from others that peers have, a window at a time.
///
/// All fragments of a chunk are equally long, and byte `n` of one depends on byte `n` of the others only: so windows need not know
/// how the chunk was cut.
struct FragmentReconstruction: Sendable {
    /// Bytes of each fragment that are fetched at once.
    private static let windowSize = 256 * 1024
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
        let found = await withTaskGroup(of: (Int, Found).self) { group in
            for (position, source) in sources.enumerated() { group.addTask { (position, await find(source)) } }
            var found = [Found?](repeating: nil, count: sources.count)
            for await (position, answer) in group { found[position] = answer }
            return found.compactMap { $0 }
        }
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
    private func fetch(_ range: Range<Int>, from sources: [Source]) async -> (cells: [Int: ByteBuffer], failures: [Int: any Error]) {
        await withTaskGroup(of: (Int, Result<ByteBuffer, any Error>).self) { group in
            for source in sources {
                group.addTask {
                    do { return (source.number, .success(try await fetch(range, from: source))) } catch {
                        return (source.number, .failure(error))
                    }
                }
            }
            var cells: [Int: ByteBuffer] = [:]
            var failures: [Int: any Error] = [:]
            for await (number, result) in group {
                switch result {
                case .success(let bytes): cells[number] = bytes
                case .failure(let error): failures[number] = error
                }
            }
            return (cells, failures)
        }
    }

    private func fetch(_ range: Range<Int>, from source: Source) async throws -> ByteBuffer {
        let received = Mutex(ByteBuffer())
        let id = FragmentID(chunk: fragment.chunk, number: UInt8(source.number))
        // Windows begin at a block, so what comes is what was asked for.
        _ = try await source.transport.get(id, range: range) { piece in _ = received.withLock { $0.writeImmutableBuffer(piece.bytes) } }
        let bytes = received.withLock { $0 }
        guard bytes.readableBytes == range.count else { throw NodeError.damagedInTransit(id) }
        return bytes
    }
}
