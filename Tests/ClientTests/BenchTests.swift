import ArgumentParser
import Client
import Core
import Foundation
import NIOHTTP1
import Synchronization
import Testing

@Suite("Load test")
struct BenchTests {
    // MARK: Histogram

    @Test(
        "a percentile is never below the value that was counted, and at most 1.6 % above it",
        arguments: [1, 63, 64, 65, 1_000, 123_456_789, 3_600_000_000_000])
    func precision(nanoseconds: Int64) throws {
        var histogram = LatencyHistogram()
        histogram.record(.nanoseconds(nanoseconds))
        // A longer one, so that the maximum does not give the value away.
        histogram.record(.nanoseconds(nanoseconds * 4))
        let found = try #require(histogram.percentile(0.5)) * 1e9
        #expect(found >= Double(nanoseconds) - 0.5)
        #expect(found <= Double(nanoseconds) * 1.016 + 1)
    }

    @Test("percentiles agree with those of the sorted values, also of histograms put together")
    func percentiles() throws {
        let seed = UInt64.random(in: 0...UInt64.max)
        let random = SeededRandom(seed: seed)
        var values: [Int64] = []
        var (first, second) = (LatencyHistogram(), LatencyHistogram())
        for number in 0..<2_000 {
            let value = Int64(random.next() >> UInt64(20 + random.next(in: 0..<40)))
            values.append(value)
            if number % 3 == 0 { first.record(.nanoseconds(value)) } else { second.record(.nanoseconds(value)) }
        }
        first.merge(second)
        values.sort()
        for share in [0, 0.01, 0.5, 0.9, 0.99, 0.999, 1] {
            let exact = Double(values[max(0, Int((share * 2_000).rounded(.up)) - 1)])
            let found = try #require(first.percentile(share)) * 1e9
            #expect(found >= exact - 1 && found <= exact * 1.016 + 1, "share \(share), seed \(seed)")
        }
        #expect(first.count == 2_000)
        #expect(abs(try #require(first.maximum) * 1e9 - Double(try #require(values.last))) < 1e3, "seed \(seed)")
    }

    @Test("nothing is said of nothing")
    func empty() {
        let histogram = LatencyHistogram()
        #expect(histogram.percentile(0.5) == nil && histogram.mean == nil && histogram.maximum == nil)
    }

    // MARK: Command

    /// A server that keeps files, and counts connections by their requests' names.
    final class FileKeeper: Sendable {
        private let files = Mutex<[String: [UInt8]]>([:])
        private let numbers = Counter()
        let damages: Bool
        init(damages: Bool = false) { self.damages = damages }

        var count: Int { files.withLock { $0.count } }

        func answer(_ request: ReceivedRequest) -> ScriptedAnswer {
            let id = String(request.path.split(separator: "/").last ?? "")
            switch (request.method, request.path) {
            case (.GET, "/cluster"):
                return .json(#"{"clusterID":"c","nodes":[],"layout":{"version":1,"replicas":2}}"#)
            case (.POST, "/upload"):
                let id = "f\(numbers.next())"
                files.withLock { $0[id] = request.body }
                return .json(description(request.body, fileID: id), status: .created)
            case (.DELETE, _):
                return files.withLock { $0.removeValue(forKey: id) } == nil
                    ? .problem(.notFound, "no such file") : ScriptedAnswer(status: .noContent)
            case (.GET, _):
                guard var content = files.withLock({ $0[id] }) else { return .problem(.notFound, "no such file") }
                if damages { content[content.count / 2] ^= 1 }
                return ScriptedAnswer(body: content)
            default: return .problem(.notFound, "no such route")
            }
        }
    }

    private func bench(_ fixture: ClientFixture, _ server: ScriptedServer, _ arguments: String...) async throws -> Client.ExitStatus {
        try await BenchCommand.parse(arguments + ["--server", server.url]).execute(console: fixture.console)
    }

    @Test("uploads and downloads as often as asked for, says how fast, and leaves nothing behind")
    func both() async throws {
        try await ClientFixture.with { fixture in
            let keeper = FileKeeper()
            try await ScriptedServer.with(script: keeper.answer) { server in
                expect(
                    try await bench(fixture, server, "--size", "3KiB,0", "--concurrency", "3", "--count", "10", "--verify", "--json"),
                    .success)
                let rows = try fixture.json()
                #expect(rows.map { $0["operation"] as? String } == ["put", "get", "put", "get"])
                #expect(rows.map { $0["size"] as? Int } == [3_072, 3_072, 0, 0])
                for row in rows {
                    #expect(row["count"] as? Int == 10 && row["failed"] as? Int == 0)
                    let latency = try #require(row["latencySeconds"] as? [String: Double])
                    let ordered = try ["p50", "p90", "p95", "p99", "p999", "max"].map { try #require(latency[$0]) }
                    #expect(ordered == ordered.sorted() && ordered[0] > 0)
                }
                #expect(server.requests(.POST, "/upload").count == 20)
                #expect(keeper.count == 0)
            }
        }
    }

    @Test("connections are used again")
    func connections() async throws {
        try await ClientFixture.with { fixture in
            let keeper = FileKeeper()
            try await ScriptedServer.with(script: keeper.answer) { server in
                expect(try await bench(fixture, server, "--size", "1", "--concurrency", "2", "--count", "20"), .success)
                // Two clients; the question before them and the removals after them take theirs or wait for one.
                #expect(server.connectionCount <= 3)
                #expect(fixture.output.contains("put") && fixture.output.contains("get") && fixture.output.contains("2 copies"))
            }
        }
    }

    @Test("a download that is not what was uploaded is a failure, when bytes are checked")
    func damage() async throws {
        try await ClientFixture.with { fixture in
            let keeper = FileKeeper(damages: true)
            try await ScriptedServer.with(script: keeper.answer) { server in
                let arguments = [
                    "--size", "100", "--concurrency", "1", "--count", "2", "--workload", "get", "--json", "--server", server.url,
                ]
                expect(try await BenchCommand.parse(arguments).execute(console: fixture.console), .success)
                expect(try await BenchCommand.parse(arguments + ["--verify"]).execute(console: fixture.console), .failure)
                #expect(try fixture.json().last?["failed"] as? Int == 2)
                #expect(fixture.errors.contains("not what was uploaded"))
                #expect(keeper.count == 0)
            }
        }
    }

    @Test("a mixed load does both at once")
    func mixed() async throws {
        try await ClientFixture.with { fixture in
            let keeper = FileKeeper()
            try await ScriptedServer.with(script: keeper.answer) { server in
                expect(try await bench(fixture, server, "--size", "10", "--count", "60", "--workload", "mixed", "--json"), .success)
                let rows = try fixture.json()
                #expect(rows.compactMap { $0["count"] as? Int }.reduce(0, +) == 60)
                #expect(rows.allSatisfy { ($0["count"] as? Int ?? 0) > 0 })
                #expect(keeper.count == 0)
            }
        }
    }

    @Test("failures are counted and told, and the clients give up in the end")
    func failures() async throws {
        try await ClientFixture.with { fixture in
            let keeper = FileKeeper()
            try await ScriptedServer.with(script: { request in
                request.method == .POST ? .problem(.insufficientStorage, "the disks are full") : keeper.answer(request)
            }) { server in
                expect(
                    try await bench(fixture, server, "--size", "10", "--count", "3", "--concurrency", "1", "--workload", "put"), .failure)
                #expect(fixture.errors.contains("3 times") && fixture.errors.contains("the disks are full"))
            }
        }
    }
}
