import ArgumentParser
import ChunkStore
import Core
import Foundation

@main
struct ChunkStoreBenchmark: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "chunkstore-benchmark",
        abstract: "Measures the storage engine beside the limits of the machine.",
        discussion: "Figures of one run may be compared with each other; those of a shared machine vary by a third from run to run.")

    @Option(help: "Where to write, in a directory of its own that is removed at the end.")
    var directory = FileManager.default.temporaryDirectory.path

    @Flag(help: "A tenth of the work: a look, not a measurement.")
    var quick = false

    @Option(help: "Fragments for the start-up and the index.")
    var fragments = 1_000_000

    @Option(help: "Only the parts whose name contains this text: small, start, large.")
    var only: String?

    @Option(help: "Threads that wait for the disk.")
    var threads = 8

    func run() async throws {
        let root = "\(directory)/chunkstore-benchmark-\(getpid())"
        try FileManager.default.createDirectory(atPath: root, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: root) }
        let bench = Bench(root: root, executor: ThreadPoolExecutor(threadCount: threads), scale: quick ? 10 : 1)
        let parts: [(String, (Bench) async throws -> [Row])] = [
            ("small", smallFragments), ("start", { try await startUp($0, fragmentCount: fragments / $0.scale) }), ("large", largeFragments),
        ]
        for (name, part) in parts where only.map(name.contains) ?? true { Row.print(try await part(bench)) }
    }
}

/// A line of a result table.
struct Row {
    var name: String
    var figure: String
    var note: String

    init(_ name: String, _ figure: String, _ note: String = "") {
        self.name = name
        self.figure = figure
        self.note = note
    }

    static func print(_ rows: [Row]) {
        let width = rows.map(\.name.count).max() ?? 0
        for row in rows {
            let figure = String(repeating: " ", count: max(0, 14 - row.figure.count)) + row.figure
            Swift.print("\(row.name.padding(toLength: width, withPad: " ", startingAt: 0)) \(figure)  \(row.note)")
        }
        Swift.print()
    }
}
