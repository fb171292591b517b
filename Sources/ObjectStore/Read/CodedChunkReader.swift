internal import ChunkTransport
internal import Core
internal import ErasureCoding
internal import NIOCore

/// Reads one erasure-coded chunk's range: the fragments that hold its bytes, and where one of them cannot be had, or not soon
/// enough, as many others as it takes to compute it.
struct CodedChunkReader: Sendable {
    let read: ChunkRead
    let coder: ErasureCoder
    let store: ObjectStore

    private var code: ErasureCode { coder.code }

    /// How an attempt with certain fragments ended.
    private enum Outcome {
        case served
        /// This fragment could not be had, or not soon enough.
        case without(Int)
    }

    /// - Throws: ``StoreError/chunkUnavailable``, what `receive` throws, or `CancellationError`.
    func deliver(to receive: @escaping @Sendable (ByteBuffer) async throws -> Void) async throws {
        store.readLatencies.noteRead()
        let failures = FragmentFailures()
        var position = read.range.lowerBound
        for round in 0..<store.configuration.readRounds {
            if round > 0 { try await store.time.sleep(for: store.configuration.readRoundPause) }
            // First from the nodes that should have the fragments, then from wherever they may be.
            for isThorough in [false, true] {
                var unavailable: Set<Int> = []
                while let sources = sources(without: unavailable, from: position, isThorough: isThorough) {
                    switch try await attempt(sources, from: &position, isThorough: isThorough, failures, receive) {
                    case .served: return
                    case .without(let number): unavailable.insert(number)
                    }
                }
            }
        }
        throw StoreError.chunkUnavailable(read.chunk, detail: failures.description)
    }

    // MARK: What to read

    /// Fragments to read, and whom to ask for each.
    private struct Sources {
        /// By number.
        var nodes: [Int: [NodeID]]
        /// Whether these are the very bytes, so that nothing has to be computed.
        var isDirect: Bool
        /// Whether another fragment could take the place of one that is late.
        var hasSpare: Bool
    }

    /// - Returns: nil when there are too few fragments that may be had.
    private func sources(without unavailable: Set<Int>, from position: Int, isThorough: Bool) -> Sources? {
        var candidates: [Int: [NodeID]] = [:]
        for number in 0..<code.width where !unavailable.contains(number) {
            let (nodes, others) = store.map.places(
                of: FragmentID(chunk: read.chunk, number: UInt8(number)), read.storageClass, layoutVersion: read.layoutVersion)
            let asked = isThorough ? store.nodes.byHealth(nodes + others) : nodes.filter { store.nodes.health(of: $0) == .up }
            if !asked.isEmpty { candidates[number] = asked }
        }
        let needed = (0..<code.dataCount).filter { !fragmentRange(ofData: $0, from: position).isEmpty }
        let firsts = candidates.keys.sorted().compactMap { number in candidates[number]?.first.map { (number: number, node: $0) } }
        let ordered = store.readLatencies.order(firsts.map(\.node), at: store.time.monotonicNow())
        let rank = Dictionary(ordered.enumerated().map { ($1, $0) }, uniquingKeysWith: min)
        let best = firsts.sorted { (rank[$0.node] ?? 0, $0.number) < (rank[$1.node] ?? 0, $1.number) }.map(\.number).prefix(code.dataCount)
        let isDirect = needed.allSatisfy { isThorough ? candidates[$0] != nil : best.contains($0) }
        guard isDirect || best.count == code.dataCount else { return nil }
        let numbers = isDirect ? needed : Array(best)
        return Sources(
            nodes: candidates.filter { numbers.contains($0.key) }, isDirect: isDirect, hasSpare: candidates.count > code.dataCount)
    }

    /// Bytes of a data fragment that hold bytes of the read from `position` on.
    private func fragmentRange(ofData number: Int, from position: Int) -> Range<Int> {
        func offset(_ chunkOffset: Int, inRow row: Int) -> Int {
            let start = code.chunkRange(ofRow: row, chunkByteCount: read.chunkByteCount).lowerBound
            let cell = code.fragmentRange(ofRow: row, chunkByteCount: read.chunkByteCount)
            return cell.lowerBound + min(max(chunkOffset - start - number * cell.count, 0), cell.count)
        }
        let lower = offset(position, inRow: code.row(containing: position))
        let upper = offset(read.range.upperBound, inRow: code.row(containing: read.range.upperBound - 1))
        return lower..<max(lower, upper)
    }

    /// Bytes of every fragment that hold the rows of the read from `position` on.
    private func rowsRange(from position: Int) -> Range<Int> {
        func cell(_ offset: Int) -> Range<Int> {
            code.fragmentRange(ofRow: code.row(containing: offset), chunkByteCount: read.chunkByteCount)
        }
        return cell(position).lowerBound..<cell(read.range.upperBound - 1).upperBound
    }

    // MARK: Reading

    /// Delivers from `position` on, which follows what was delivered.
    private func attempt(
        _ sources: Sources, from position: inout Int, isThorough: Bool, _ failures: FragmentFailures,
        _ receive: @Sendable (ByteBuffer) async throws -> Void
    ) async throws -> Outcome {
        let start = position
        var streams: [Int: FragmentStream] = [:]
        for (number, nodes) in sources.nodes {
            let range = sources.isDirect ? fragmentRange(ofData: number, from: start) : rowsRange(from: start)
            streams[number] = FragmentStream(
                fragment: FragmentID(chunk: read.chunk, number: UInt8(number)), range: range, nodes: nodes, read: read,
                fragmentByteCount: code.fragmentByteCount(chunkByteCount: read.chunkByteCount), store: store, failures: failures)
        }
        defer { for stream in streams.values { stream.cancel() } }
        // When all are asked everywhere, waiting is all that is left.
        let patience =
            isThorough || !sources.hasSpare ? nil : store.readLatencies.hedgeDelay(among: sources.nodes.values.compactMap(\.first))
        let all = streams
        return try await withThrowingTaskGroup(of: Void.self) { group in
            defer { group.cancelAll() }
            for stream in all.values { group.addTask { await stream.fill() } }
            do {
                while position < read.range.upperBound {
                    for bytes in try await nextRow(from: position, sources, all, patience: patience) {
                        try await receive(bytes)
                        position += bytes.readableBytes
                    }
                }
                return .served
            } catch let error as FragmentStream.Unavailable {
                try Task.checkCancellation()
                return .without(error.number)
            }
        }
    }

    /// The bytes of a row, or of as much of it as is wanted, in order.
    /// - Throws: ``FragmentStream/Unavailable``, `CancellationError`.
    private func nextRow(
        from position: Int, _ sources: Sources, _ streams: [Int: FragmentStream], patience: Duration?
    ) async throws -> [ByteBuffer] {
        let row = code.row(containing: position)
        let end = min(read.range.upperBound, code.chunkRange(ofRow: row, chunkByteCount: read.chunkByteCount).upperBound)
        let wanted = code.cells(covering: position..<end, chunkByteCount: read.chunkByteCount)
        if sources.isDirect {
            var result: [ByteBuffer] = []
            for cell in wanted {
                guard let stream = streams[cell.number] else { throw FragmentStream.Unavailable(number: cell.number) }
                result.append(try await stream.take(cell.rangeInFragment.count, patience: patience))
            }
            return result
        }
        let fragmentRange = code.fragmentRange(ofRow: row, chunkByteCount: read.chunkByteCount)
        var cells: [Int: ByteBuffer] = [:]
        for (number, stream) in streams.sorted(by: { $0.key < $1.key }) {
            cells[number] = try await stream.take(fragmentRange.count, patience: patience)
        }
        let whole = try coder.reconstruct(wanted.map(\.number), from: cells, cellSize: fragmentRange.count)
        return wanted.compactMap { cell in
            whole[cell.number].flatMap {
                $0.getSlice(
                    at: $0.readerIndex + cell.rangeInFragment.lowerBound - fragmentRange.lowerBound, length: cell.rangeInFragment.count)
            }
        }
    }
}
