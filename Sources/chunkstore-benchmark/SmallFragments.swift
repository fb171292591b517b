import ChunkStore
import Core
import Synchronization

/// 4 KiB fragments: writers that share their fdatasync beside one fdatasync each.
func smallFragments(_ bench: Bench) async throws -> [Row] {
    let size = 4096
    let single = 4_000 / bench.scale
    let bytes = [UInt8](repeating: 7, count: size)

    let raw = try RawFile(bench.path("raw"))
    let rawSeconds = try await Bench.seconds {
        for _ in 0..<single {
            try bytes.withUnsafeBytes { try raw.append($0) }
            try raw.synchronize()
        }
    }
    let batched = try RawFile(bench.path("batched"))
    let batches = single / 4
    let batch = [UInt8](repeating: 7, count: size * 64)
    let batchSeconds = try await Bench.seconds {
        for _ in 0..<batches {
            try batch.withUnsafeBytes { try batched.append($0) }
            try batched.synchronize()
        }
    }
    let store = try await bench.store("small")
    let each = Double(single) / rawSeconds
    var rows = [
        Row("4 KiB: one write and fdatasync each, raw", "\(Bench.text(each))/s", "one thread"),
        Row("4 KiB: 64 to a write and fdatasync, raw", "\(Bench.text(Double(batches * 64) / batchSeconds))/s", "the limit of sharing"),
    ]
    var next = 0
    for writers in [1, 16, 64, 256] {
        let count = (writers == 1 ? 4_000 : 60_000) / bench.scale
        let rate = try await putRate(store, bench, writers: writers, count: count, firstNumber: next, size: size)
        next += count
        rows.append(
            Row("4 KiB: put by \(writers) writers", "\(Bench.text(rate))/s", "\(Bench.text(rate / each, 1)) times one fdatasync each"))
    }
    for readers in [1, 16] {
        rows.append(try await getRate(store, readers: readers, count: 40_000 / bench.scale, stored: next))
    }
    await store.close()
    try bench.remove("small")
    return rows
}

private func putRate(_ store: ChunkStore, _ bench: Bench, writers: Int, count: Int, firstNumber: Int, size: Int) async throws -> Double {
    let pieces = Bench.pieces(size)
    let seconds = try await Bench.seconds {
        try await withThrowingTaskGroup(of: Void.self) { group in
            for writer in 0..<writers {
                group.addTask {
                    for number in stride(from: writer, to: count, by: writers) {
                        try await store.put(Bench.id(firstNumber + number), pieces)
                    }
                }
            }
            try await group.waitForAll()
        }
    }
    return Double(count) / seconds
}

private func getRate(_ store: ChunkStore, readers: Int, count: Int, stored: Int) async throws -> Row {
    let seconds = try await Bench.seconds {
        try await withThrowingTaskGroup(of: Void.self) { group in
            for reader in 0..<readers {
                group.addTask {
                    for number in stride(from: reader, to: count, by: readers) {
                        _ = try await store.get(Bench.id(number * 7 % stored), range: nil) { _ in }
                    }
                }
            }
            try await group.waitForAll()
        }
    }
    return Row("4 KiB: get by \(readers) readers", "\(Bench.text(Double(count) / seconds))/s", "from the page cache")
}
