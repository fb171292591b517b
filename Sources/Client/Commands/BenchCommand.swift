package import ArgumentParser
internal import Core
internal import UnixSignals

/// `chunkflow bench`
package struct BenchCommand: ClientCommand {
    private static let concurrencyLimits = 1...1_024
    private static let largestFile = 1 << 40
    private static let durationLimits = 1...86_400
    private static let countLimits = 1...100_000_000

    package static let configuration = CommandConfiguration(
        commandName: "bench", abstract: "Measure how fast a cluster is: uploads and downloads, their rate and their latencies.",
        discussion: """
            Uploads files of its own and removes them at the end, also after Ctrl-C. Do not run it on a cluster that has no room to spare: what \
            is uploaded stays until then. Prints a line for each size and operation; with --json one JSON object a line.

            \(ExitStatus.explanation)
            """)

    @Option(help: ArgumentHelp("Sizes of the files, one after the other, with KiB, MiB or GiB.", valueName: "bytes,..."))
    var size = "1MiB"

    @Option(help: ArgumentHelp("Operations at a time.", valueName: "count"))
    var concurrency = 8

    @Option(help: ArgumentHelp("How long each part takes, in seconds. (default: 10)", valueName: "seconds"))
    var duration: Int?

    @Option(help: ArgumentHelp("How many operations each part has, instead of a time.", valueName: "count"))
    var count: Int?

    @Option(
        help: "What is done: put; get; both, one after the other; mixed, both at once.",
        completion: .list(BenchPlan.Workload.allCases.map(\.rawValue)),
        transform: { text in
            guard let workload = BenchPlan.Workload(rawValue: text) else {
                let accepted = BenchPlan.Workload.allCases.map(\.rawValue).joined(separator: ", ")
                throw ValidationError("--workload: \(text.debugDescription) is not accepted; accepted: \(accepted)")
            }
            return workload
        })
    var workload = BenchPlan.Workload.both

    @Flag(help: "Check the bytes of every download.")
    var verify = false

    @OptionGroup var connection: ConnectionOptions

    package init() {}

    package func validate() throws {
        _ = try sizes()
        try check(concurrency, in: Self.concurrencyLimits, "--concurrency")
        if let duration { try check(duration, in: Self.durationLimits, "--duration") }
        if let count { try check(count, in: Self.countLimits, "--count") }
        if duration != nil, count != nil { throw ValidationError("--count: not accepted with --duration: a part ends by one or the other") }
    }

    private func check(_ value: Int, in limits: ClosedRange<Int>, _ name: String) throws {
        guard limits.contains(value) else {
            throw ValidationError("\(name): \(value) is not accepted; accepted: \(limits.lowerBound) to \(limits.upperBound)")
        }
    }

    private func sizes() throws -> [Int64] {
        try size.split(separator: ",", omittingEmptySubsequences: false).map { text in
            guard let byteCount = ByteSize(String(text))?.byteCount, byteCount <= Self.largestFile else {
                throw ValidationError(
                    "--size: \(text.debugDescription) is not accepted; accepted: bytes, or with KiB, MiB or GiB, up to 1024GiB")
            }
            return Int64(byteCount)
        }
    }

    package func run() async throws { try await execute(console: .standard).exit() }

    package func execute(console: Console) async throws -> ExitStatus {
        let sizes = try sizes()
        let end: BenchPlan.End = count.map { .count($0) } ?? .after(.seconds(duration ?? 10))
        let plans = sizes.map {
            BenchPlan(workload: workload, byteCount: $0, concurrency: concurrency, end: end, verifies: verify)
        }
        return try await connection.connected(console, reusing: concurrency) { server in
            let cluster = try await connection.asking(console) { try await server.cluster() }.description
            if !connection.json { console.print(headline(cluster, server.server)) }
            let bench = Bench(connection: server, time: SystemTime(), random: SystemRandom())
            let (results, left) = try await stoppable(bench, console) {
                let results = try await run(plans, bench, console)
                return (results, try await bench.cleanUp())
            }
            if left > 0 { console.note("chunkflow: \(left) files could not be removed: their names begin with \(bench.namePrefix)") }
            let failed = results.contains { $0.failureCount > 0 || $0.latencies.count == 0 }
            return failed || left > 0 || bench.wasStopped ? .failure : .success
        }
    }

    private func headline(_ cluster: ClusterDescription, _ server: ServerAddress) -> String {
        let copies = cluster.layout.replicas.map { ", \($0) copies" } ?? ""
        let length = count.map { "\($0) operations" } ?? "\(duration ?? 10) s"
        return "\(server): \(cluster.nodes.count) nodes\(copies); \(concurrency) at a time, \(length) each part"
    }

    private func run(_ plans: [BenchPlan], _ bench: Bench, _ console: Console) async throws -> [BenchResult] {
        var results: [BenchResult] = []
        for plan in plans where !bench.wasStopped {
            try await bench.run(plan) { part in
                results += part
                for result in part {
                    if connection.json { console.print(json: result.json) }
                    for (failure, number) in result.failures.sorted(by: { $0.value > $1.value }).prefix(5) {
                        console.note("chunkflow: \(result.operation.rawValue), \(number) times: \(failure)")
                    }
                }
            }
        }
        if !connection.json {
            for line in textTable([BenchResult.header] + results.map(\.row)) { console.print(line) }
        }
        return results
    }

    /// Lets Ctrl-C stop the test, and not the process, which has files to remove. A second one ends it.
    private func stoppable<Value: Sendable>(_ bench: Bench, _ console: Console, _ work: () async throws -> Value) async throws -> Value {
        let watch = Task {
            for await _ in await UnixSignalsSequence(trapping: .sigint, .sigterm) {
                if bench.wasStopped { Self.exit(withError: ExitCode.failure) }
                console.note("chunkflow: stopping, and removing what was uploaded")
                bench.stop()
            }
        }
        defer { watch.cancel() }
        return try await work()
    }
}
