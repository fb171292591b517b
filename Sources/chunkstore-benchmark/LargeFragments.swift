import ChunkStore
import Core

/// 8 MiB fragments beside raw files.
func largeFragments(_ bench: Bench) async throws -> [Row] {
    let size = 8 << 20
    let count = 160 / bench.scale
    let megabytes = Double(count * size) / 1e6
    let pieces = Bench.pieces(size)
    var rows = try await rawFile(bench, size: size, count: count)

    let store = try await bench.store("large")
    for writers in [1, 4] {
        let cpu = Bench.cpuSeconds()
        let seconds = try await Bench.seconds {
            try await withThrowingTaskGroup(of: Void.self) { group in
                for writer in 0..<writers {
                    group.addTask {
                        for number in stride(from: writer, to: count, by: writers) {
                            try await store.put(Bench.id(writers * 10_000 + number), pieces)
                        }
                    }
                }
                try await group.waitForAll()
            }
        }
        let perGiB = (Bench.cpuSeconds() - cpu) / (megabytes * 1e6 / Double(1 << 30))
        rows.append(
            Row(
                "8 MiB: put, \(writers) at once", "\(Bench.text(megabytes / seconds)) MB/s",
                "\(Bench.text(perGiB, 2)) CPU-s/GiB, fdatasync each"))
    }
    for readers in [1, 4] {
        let cpu = Bench.cpuSeconds()
        let seconds = try await Bench.seconds {
            try await withThrowingTaskGroup(of: Void.self) { group in
                for reader in 0..<readers {
                    group.addTask {
                        for number in stride(from: reader, to: count, by: readers) {
                            _ = try await store.get(Bench.id(10_000 + number), range: nil) { _ in }
                        }
                    }
                }
                try await group.waitForAll()
            }
        }
        let perGiB = (Bench.cpuSeconds() - cpu) / (megabytes * 1e6 / Double(1 << 30))
        rows.append(
            Row(
                "8 MiB: get, \(readers) at once", "\(Bench.text(megabytes / seconds)) MB/s",
                "\(Bench.text(perGiB, 2)) CPU-s/GiB, verified, from the page cache"))
    }
    await store.close()
    try bench.remove("large")
    return rows
}

private func rawFile(_ bench: Bench, size: Int, count: Int) async throws -> [Row] {
    let megabytes = Double(count * size) / 1e6
    let bytes = [UInt8](repeating: 7, count: size)
    let raw = try RawFile(bench.path("rawlarge"))
    let writing = try await Bench.seconds {
        for _ in 0..<count {
            try bytes.withUnsafeBytes { try raw.append($0) }
            try raw.synchronize()
        }
    }
    var buffer = [UInt8](repeating: 0, count: 512 << 10)
    let reading = try await Bench.seconds {
        for offset in stride(from: 0, to: count * size, by: buffer.count) {
            _ = try buffer.withUnsafeMutableBytes { try raw.read(into: $0, at: offset) }
        }
    }
    try bench.remove("rawlarge")
    return [
        Row("8 MiB: write and fdatasync each, raw", "\(Bench.text(megabytes / writing)) MB/s"),
        Row("512 KiB reads from the page cache, raw", "\(Bench.text(megabytes / reading)) MB/s"),
    ]
}
