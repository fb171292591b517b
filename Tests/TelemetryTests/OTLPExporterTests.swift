import Core
import Logging
import NIOHTTP1
import Synchronization
import Telemetry
import Testing
import Tracing

@Suite("Sending traces to a collector")
struct OTLPExporterTests {
    private let time = SteppedTime()

    private func exporter(_ endpoint: String, logger: Logger = Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() }))
        -> OTLPExporter
    {
        OTLPExporter(endpoint: endpoint, service: "the-service", time: time, executor: InlineExecutor(), logger: logger)
    }

    /// Ends spans that are called by their numbers. Returns without waiting for anybody.
    private func trace(_ numbers: Range<Int>, to exporter: OTLPExporter) {
        let tracer = OTLPTracer(exporter: exporter, sampleRatio: 1, random: SystemRandom())
        for number in numbers { tracer.withSpan("\(number)", context: .topLevel) { _ in } }
    }

    private func running<Result>(_ exporter: OTLPExporter, _ body: () async throws -> Result) async throws -> Result {
        let task = Task { try await exporter.run() }
        let outcome: Swift.Result<Result, any Error>
        do { outcome = .success(try await body()) } catch { outcome = .failure(error) }
        task.cancel()
        try await task.value
        return try outcome.get()
    }

    private func names(_ numbers: Range<Int>) -> [String] { numbers.map { "\($0)" } }

    @Test("spans are sent in batches, in their order, each once, as OTLP over HTTP wants them")
    func batches() async throws {
        try await Collector.with { _ in
            .status(.ok)
        } _: { collector in
            let exporter = exporter(collector.url)
            trace(0..<1_300, to: exporter)
            try await running(exporter) {
                for batch in [0..<512, 512..<1_024, 1_024..<1_300] {
                    time.step()
                    let request = try await collector.next()
                    #expect(request.head.method == .POST && request.head.uri == "/v1/traces")
                    #expect(request.head.headers["Content-Type"] == ["application/json"])
                    #expect(String(decoding: request.body, as: UTF8.self).contains("the-service"))
                    #expect(request.spans == names(batch))
                }
            }
        }
    }

    @Test("what is left at the end is sent before the end")
    func lastBatch() async throws {
        try await Collector.with { _ in
            .status(.ok)
        } _: { collector in
            let exporter = exporter(collector.url + "/a/path")
            try await running(exporter) { trace(0..<3, to: exporter) }
            let request = try await collector.next()
            #expect(request.spans == names(0..<3) && request.head.uri == "/a/path")
        }
    }

    @Test("a batch that is refused, or whose answer does not come, is not sent again; the next one is sent all the same")
    func noRetries() async throws {
        try await Collector.with {
            $0 == 0 ? .status(.serviceUnavailable) : $0 == 1 ? .hangUp : .status(.ok)
        } _: { collector in
            let exporter = exporter(collector.url)
            try await running(exporter) {
                for number in 0..<4 {
                    trace(number..<number + 1, to: exporter)
                    time.step()
                    let spans = try await collector.next().spans
                    #expect(spans == ["\(number)"])
                }
            }
        }
    }

    @Test("while a collector takes nothing spans wait, up to a limit; the others are dropped, and nobody who ends one waits")
    func boundedQueue() async throws {
        try await Collector.with { _ in
            .status(.ok)
        } _: { collector in
            let exporter = exporter(collector.url)
            trace(0..<20_000, to: exporter)
            try await running(exporter) {
                var arrived: [String] = []
                for _ in 0..<8 {
                    time.step()
                    arrived += try await collector.next().spans
                }
                #expect(arrived == names(0..<4_096))
                // There is room again.
                trace(20_000..<20_001, to: exporter)
                time.step()
                #expect(try await collector.next().spans == ["20000"])
            }
        }
    }

    @Test("a collector that says nothing holds up neither who ends spans nor the end of the process for long")
    func silence() async throws {
        try await Collector.with { _ in
            .silence
        } _: { collector in
            let exporter = exporter(collector.url)
            let start = SystemTime().monotonicNow()
            try await running(exporter) {
                trace(0..<1, to: exporter)
                time.step()
                _ = try await collector.next()
                trace(1..<10_000, to: exporter)
            }
            // A second for what is left, and no five for each of the twenty batches.
            #expect(SystemTime().monotonicNow() - start < .seconds(60))
        }
    }

    @Test("that a collector is away is told once, with its host and without what else is in the URL")
    func complaint() async throws {
        let log = Lines()
        try await Collector.with { _ in
            .hangUp
        } _: { collector in
            let exporter = exporter(collector.url.replacing("http://", with: "http://user:p4ssword@"), logger: log.logger)
            try await running(exporter) {
                // Three batches, each of which is lost.
                for number in 0..<3 {
                    trace(number..<number + 1, to: exporter)
                    time.step()
                    _ = try await collector.next()
                }
            }
        }
        #expect(log.all.count == 1)
        #expect(log.all.first?.contains("traces cannot be sent to the collector") == true && log.all.first?.contains("127.0.0.1") == true)
        #expect(log.all.first?.contains("p4ssword") == false)
    }
}

/// What is logged.
private final class Lines: Sendable {
    private let lines = Mutex<[String]>([])
    var all: [String] { lines.withLock { $0 } }
    var logger: Logger { Logger(label: "test", factory: { _ in Handler(lines: self) }) }

    private struct Handler: LogHandler {
        let lines: Lines
        var metadata: Logger.Metadata = [:]
        var logLevel = Logger.Level.trace

        subscript(metadataKey key: String) -> Logger.Metadata.Value? {
            get { metadata[key] }
            set { metadata[key] = newValue }
        }

        func log(event: LogEvent) {
            lines.lines.withLock { $0.append("\(event.level) \(event.message) \(event.metadata ?? [:])") }
        }
    }
}
