internal import CoreMetrics
internal import Synchronization

/// The tables of the last few patterns of erasure. While a node is away the same ones are asked for with every row.
package final class DecoderCache: Sendable {
    /// Enough for every single loss in the widest code; tables take at most 2 KiB.
    package static let capacity = 32

    private struct Entry: Sendable {
        let numbers: [Int]
        let sources: [Int]
        let tables: CodingTables
    }

    private static let hits = Counter(label: "chunkflow_erasure_decoder_cache_hits_total")
    private static let misses = Counter(label: "chunkflow_erasure_decoder_cache_misses_total")

    private let generator: GeneratorMatrix
    /// The last used at the end.
    private let entries = Mutex<[Entry]>([])

    package init(_ generator: GeneratorMatrix) {
        self.generator = generator
        // Both are there from the first coder on.
        Self.hits.increment(by: 0)
        Self.misses.increment(by: 0)
    }

    /// - Precondition: `sources` are `dataCount` different cells of the code. Equal patterns come in equal order.
    package func tables(computing numbers: [Int], from sources: [Int]) -> CodingTables {
        let known: CodingTables? = entries.withLock { entries in
            guard let index = entries.lastIndex(where: { $0.numbers == numbers && $0.sources == sources }) else { return nil }
            let entry = entries.remove(at: index)
            entries.append(entry)
            return entry.tables
        }
        if let known {
            Self.hits.increment()
            return known
        }
        Self.misses.increment()
        // Made outside of the lock: at worst two threads make the same.
        let tables = CodingTables(coefficients: generator.rows(numbers, from: sources), sourceCount: sources.count)
        entries.withLock { entries in
            if entries.contains(where: { $0.numbers == numbers && $0.sources == sources }) { return }
            if entries.count == Self.capacity { entries.removeFirst() }
            entries.append(Entry(numbers: numbers, sources: sources, tables: tables))
        }
        return tables
    }

    /// How many patterns are kept.
    package var count: Int { entries.withLock { $0.count } }

    package func holds(_ numbers: [Int], from sources: [Int]) -> Bool {
        entries.withLock { $0.contains { $0.numbers == numbers && $0.sources == sources } }
    }
}
