import ArgumentParser
import Core
import ErasureCoding
import NIOCore

@main
struct ErasureBenchmark: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "erasure-benchmark",
        abstract: "Measures encoding and decoding on one core, beside the bare kernels of ISA-L on the same bytes.",
        discussion: "GiB/s are of the chunk's bytes. The rows together are larger than the caches. Figures of one run may be compared.")

    @Option(help: "Rows that are gone through in turn.")
    var rows = 64

    @Option(help: "Seconds for each figure.")
    var seconds = 1.0

    func validate() throws {
        if rows < 1 || !(seconds > 0) { throw ValidationError("there is at least one row, and some time") }
    }

    func run() throws {
        print("code     row KiB  encode  bare  ratio   decode  bare  ratio")
        for (dataCount, parityCount) in [(4, 2), (8, 2)] {
            guard let code = ErasureCode(dataCount: dataCount, parityCount: parityCount) else { continue }
            try measure(code)
        }
    }

    /// Decoding is of as many lost data cells as the code bears.
    private func measure(_ code: ErasureCode) throws {
        let coder = ErasureCoder(code)
        let random = SeededRandom(seed: 1)
        let content = (0..<rows).map { _ in
            var row = ByteBufferAllocator().buffer(capacity: code.rowSize)
            for _ in 0..<code.rowSize / 8 { row.writeInteger(random.next()) }
            return row
        }
        let lost = Array(0..<code.parityCount)
        let left = content.map { row in
            let (data, parity) = coder.encode(row: row, cellSize: code.cellSize)
            let cells = Dictionary(uniqueKeysWithValues: (data + parity).enumerated().map { ($0, $1) })
            return cells.filter { !lost.contains($0.key) }
        }
        let encoder = BareKernel(encoding: code)
        let decoder = BareKernel(decoding: lost, of: code)
        let sources = left.map { cells in cells.keys.sorted().prefix(code.dataCount).compactMap { cells[$0] } }
        let encode = rate(code) { _ = coder.encode(row: content[$0], cellSize: code.cellSize) }
        let bareEncode = rate(code) { encoder.run(on: [content[$0]], cellSize: code.cellSize) }
        let decode = try rate(code) { _ = try coder.reconstruct(lost, from: left[$0], cellSize: code.cellSize) }
        let bareDecode = rate(code) { decoder.run(on: sources[$0], cellSize: code.cellSize) }
        print(
            "\(code)", column("\(code.rowSize / 1024)", 9), column(text(encode), 7), column(text(bareEncode), 5),
            column(text(encode / bareEncode), 6), column(text(decode), 8), column(text(bareDecode), 5), column(text(decode / bareDecode), 6)
        )
    }

    /// GiB of rows a second.
    private func rate(_ code: ErasureCode, _ work: (Int) throws -> Void) rethrows -> Double {
        for row in 0..<rows { try work(row) }
        let start = ContinuousClock.now
        var count = 0
        while start.duration(to: .now) < .seconds(seconds) {
            for row in 0..<rows { try work(row) }
            count += rows
        }
        let elapsed = Double(start.duration(to: .now).nanoseconds) / 1e9
        return Double(count * code.rowSize) / elapsed / Double(1 << 30)
    }

    private func text(_ value: Double) -> String {
        let hundredths = Int((value * 100).rounded())
        return "\(hundredths / 100).\(hundredths % 100 < 10 ? "0" : "")\(hundredths % 100)"
    }

    private func column(_ text: String, _ width: Int) -> String { String(repeating: " ", count: max(0, width - text.count)) + text }
}
