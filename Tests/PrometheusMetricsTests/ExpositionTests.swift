import CoreMetrics
import PrometheusMetrics
import Testing

@Suite struct ExpositionTests {
    private func registry() -> MetricsRegistry {
        MetricsRegistry([
            MetricDescription("jobs_total", "Jobs done.\nAll of them."), MetricDescription("depth", "How deep."),
            MetricDescription("wait_seconds", "How long.", buckets: [0.1, 1]),
        ])
    }

    @Test("counters, gauges and histograms are told as Prometheus wants them")
    func text() async {
        let registry = registry()
        Counter(label: "jobs_total", dimensions: [("kind", "b"), ("colour", "red")], factory: registry).increment(by: 3)
        Counter(label: "jobs", dimensions: [("kind", "b"), ("colour", "red")], factory: registry).increment()
        Meter(label: "depth", factory: registry).set(2.5)
        let timer = Timer(label: "wait", factory: registry)
        for nanoseconds: Int64 in [50_000_000, 100_000_000, 500_000_000, 5_000_000_000] { timer.recordNanoseconds(nanoseconds) }
        #expect(
            await registry.exposition(.text) == """
                # HELP depth How deep.
                # TYPE depth gauge
                depth 2.5
                # HELP jobs_total Jobs done.\\nAll of them.
                # TYPE jobs_total counter
                jobs_total{colour="red",kind="b"} 4
                # HELP wait_seconds How long.
                # TYPE wait_seconds histogram
                wait_seconds_bucket{le="0.1"} 2
                wait_seconds_bucket{le="1"} 3
                wait_seconds_bucket{le="+Inf"} 4
                wait_seconds_sum 5.65
                wait_seconds_count 4

                """)
    }

    @Test("OpenMetrics names the counter without its suffix and ends with EOF")
    func openMetrics() async {
        let registry = registry()
        Counter(label: "jobs_total", factory: registry).increment()
        #expect(
            await registry.exposition(.openMetrics) == """
                # HELP jobs Jobs done.\\nAll of them.
                # TYPE jobs counter
                jobs_total 1
                # EOF

                """)
    }

    @Test("no label can end its line, or its quotes, or become a line of its own")
    func hostileLabels() async {
        let registry = registry()
        Meter(label: "depth", dimensions: [("where", "a\"} 1\nforged 1\r\u{2028}\\")], factory: registry).set(1)
        let text = await registry.exposition(.text)
        #expect(text.contains(#"depth{where="a\"} 1\nforged 1  \\"} 1"#), "\(text)")
        #expect(text.unicodeScalars.filter { ["\n", "\r", "\u{2028}"].contains($0) }.count == 3)
    }

    @Test("names that Prometheus does not know are changed until it does")
    func names() async {
        let registry = MetricsRegistry()
        Counter(label: "http.server-requests", dimensions: [("status.code", "200")], factory: registry).increment()
        Meter(label: "9 lives", factory: registry).set(9)
        let text = await registry.exposition(.text)
        #expect(text.contains("http_server_requests_total{status_code=\"200\"} 1\n") && text.contains("\n_9_lives 9\n"))
    }

    @Test("a label that takes too many values does not fill the memory")
    func cardinality() async {
        let registry = registry()
        for number in 0..<5_000 {
            Counter(label: "jobs_total", dimensions: [("kind", "\(number)")], factory: registry).increment()
        }
        let lines = await registry.exposition(.text).split(separator: "\n").filter { $0.hasPrefix("jobs_total{") }
        #expect(lines.count == 1_001)
        #expect(lines.contains("jobs_total{kind=\"other\"} 4000"))
    }

    @Test("a name that is used for two kinds of metric stays what it was first")
    func twoKinds() async {
        let registry = registry()
        Meter(label: "depth", factory: registry).set(7)
        Recorder(label: "depth", dimensions: [], aggregate: true, factory: registry).record(9)
        #expect(await registry.exposition(.text).contains("# TYPE depth gauge\ndepth 7\n"))
    }

    @Test("collectors bring gauges up to date, and what has gone is gone")
    func collectors() async {
        let registry = registry()
        registry.set("depth", [("node", "old")], to: 1)
        registry.addCollector { registry.replace("depth", with: [([("node", "new")], 2)]) }
        let text = await registry.exposition(.text)
        #expect(text.contains("depth{node=\"new\"} 2") && !text.contains("old"))
    }

    @Test(
        "the form is the one that is asked for",
        arguments: [
            (nil, ExpositionFormat.text), ("text/html", .text), ("*/*", .text), ("application/openmetrics-text", .openMetrics),
            ("application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.3", .openMetrics),
            ("text/plain;q=0.9, application/openmetrics-text; q=0.1", .text), ("application/openmetrics-text;q=0", .text),
        ])
    func negotiation(accept: String?, format: ExpositionFormat) { #expect(ExpositionFormat(accept: accept) == format) }

    @Test("updates from many tasks are all counted")
    func concurrency() async {
        let registry = registry()
        let counter = Counter(label: "jobs_total", factory: registry)
        let timer = Timer(label: "wait", factory: registry)
        await withDiscardingTaskGroup { group in
            for _ in 0..<8 {
                group.addTask {
                    for _ in 0..<10_000 {
                        counter.increment()
                        timer.recordNanoseconds(1_000_000_000)
                    }
                }
            }
        }
        let text = await registry.exposition(.text)
        #expect(text.contains("jobs_total 80000\n") && text.contains("wait_seconds_count 80000\n"))
        #expect(text.contains("wait_seconds_sum 80000\n"))
    }
}
