import ChunkStore
import Core

/// Opening a store that has many fragments, and the memory of their index.
func startUp(_ bench: Bench, fragmentCount: Int) async throws -> [Row] {
    // Not synced while they are made: only the start is measured.
    let store = try await bench.store("start", ChunkStore.Configuration(durability: .none))
    let pieces = Bench.pieces(100)
    try await withThrowingTaskGroup(of: Void.self) { group in
        let writers = 512
        for writer in 0..<writers {
            group.addTask {
                for number in stride(from: writer, to: fragmentCount, by: writers) { try await store.put(Bench.id(number), pieces) }
            }
        }
        try await group.waitForAll()
    }
    await store.close()
    var rows: [Row] = []
    var best = Double.infinity
    for _ in 0..<3 {
        var opened: ChunkStore?
        best = min(best, try await Bench.seconds { opened = try await bench.store("start") })
        if rows.isEmpty, let statistics = opened?.statistics() {
            let each = Double(statistics.indexBytes) / Double(statistics.fragmentCount)
            rows.append(Row("index of \(statistics.fragmentCount) fragments", "\(Bench.text(each, 1)) B", "a fragment"))
        }
        await opened?.close()
    }
    rows.append(Row("start with \(fragmentCount) fragments, from a checkpoint", "\(Bench.text(best * 1000)) ms"))
    let disk = try PosixDisk(directory: bench.path("start"))
    try disk.remove("checkpoint")
    var opened: ChunkStore?
    let scan = try await Bench.seconds { opened = try await bench.store("start") }
    await opened?.close()
    rows.append(Row("the same without a checkpoint", "\(Bench.text(scan * 1000)) ms", "every record read and verified"))
    try bench.remove("start")
    return rows
}
