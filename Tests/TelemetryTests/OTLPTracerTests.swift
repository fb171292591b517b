import Core
import Foundation
import Synchronization
import Telemetry
import Testing
import Traces
import Tracing

private final class Kept: SpanSink {
    private let kept = Mutex<[FinishedSpan]>([])
    var spans: [FinishedSpan] { kept.withLock { $0 } }
    func take(_ span: FinishedSpan) { kept.withLock { $0.append(span) } }
}

private struct Fields: Extractor, Injector {
    func extract(key: String, from carrier: [String: String]) -> String? { carrier[key] }
    func inject(_ value: String, forKey key: String, into carrier: inout [String: String]) { carrier[key] = value }
}

@Suite("The tracer")
struct OTLPTracerTests {
    private static let caller = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    private let kept = Kept()

    private func tracer(collected: Bool = true, ratio: Double = 1) -> OTLPTracer {
        OTLPTracer(sink: collected ? kept : nil, sampleRatio: ratio, random: SystemRandom())
    }

    private func context(_ parent: String?, of tracer: OTLPTracer) -> InstrumentationContext {
        var context = InstrumentationContext.topLevel
        tracer.extract(parent.map { ["traceparent": $0, "tracestate": "vendor=1"] } ?? [:], into: &context, using: Fields())
        return context
    }

    private func told(_ context: InstrumentationContext, by tracer: OTLPTracer) -> [String: String] {
        var carrier: [String: String] = [:]
        tracer.inject(context, into: &carrier, using: Fields())
        return carrier
    }

    @Test("spans are children of the one that they are in, the first of the caller's, all of one trace")
    func parents() throws {
        let tracer = tracer()
        tracer.withSpan("outer", context: context(Self.caller, of: tracer), ofKind: .server) { outer in
            outer.attributes.set("number", value: 7)
            tracer.withSpan("inner") { _ in }
        }
        let (inner, outer) = try (#require(kept.spans.first), #require(kept.spans.last))
        #expect(kept.spans.map(\.details.name) == ["inner", "outer"])
        #expect(outer.parentSpanID == 0x00f0_67aa_0ba9_02b7)
        #expect(inner.parentSpanID == outer.context.spanID)
        #expect(Set(kept.spans.map(\.context.traceID.text)) == ["4bf92f3577b34da6a3ce929d0e0e4736"])
        #expect(outer.startedAt <= inner.startedAt && inner.endedAt <= outer.endedAt)
        #expect(outer.details.attributes.get("number") == 7)
    }

    @Test("who is called is told the span that calls, and the caller's tracestate")
    func propagation() {
        let tracer = tracer()
        tracer.withSpan("outer", context: context(Self.caller, of: tracer)) { span in
            let carrier = told(span.context, by: tracer)
            #expect(carrier["traceparent"] == span.context.trace?.parentText)
            #expect(carrier["traceparent"] != Self.caller)
            #expect(carrier["tracestate"] == "vendor=1")
        }
    }

    @Test("without a collector the caller's trace is handed on as it came, and nothing is recorded")
    func passedThrough() {
        let tracer = tracer(collected: false)
        tracer.withSpan("outer", context: context(Self.caller, of: tracer)) { span in
            #expect(!span.isRecording)
            #expect(told(span.context, by: tracer)["traceparent"] == Self.caller)
        }
        tracer.withSpan("alone", context: .topLevel) { span in
            #expect(told(span.context, by: tracer)["traceparent"]?.hasSuffix("-00") == true)
        }
        #expect(kept.spans.isEmpty)
    }

    @Test("a caller who does not keep the trace is obeyed, whatever the ratio")
    func unsampledCaller() {
        let tracer = tracer()
        tracer.withSpan("outer", context: context(String(Self.caller.dropLast(2)) + "00", of: tracer)) { #expect(!$0.isRecording) }
        #expect(kept.spans.isEmpty)
    }

    @Test("the ratio decides of traces that begin here: none, all, or about so many", arguments: [0, 0.25, 1])
    func ratio(_ ratio: Double) {
        let tracer = tracer(ratio: ratio)
        for _ in 0..<4_000 { tracer.withSpan("request", context: .topLevel) { _ in } }
        // Six standard deviations.
        #expect(abs(Double(kept.spans.count) - 4_000 * ratio) <= 6 * (4_000 * ratio * (1 - ratio)).squareRoot())
    }

    @Test("an error is in the span, and a span ends once")
    func errors() throws {
        struct Trouble: Error {}
        let tracer = tracer()
        #expect(throws: Trouble.self) {
            try tracer.withSpan("fails", context: .topLevel) { span in
                span.end()
                throw Trouble()
            }
        }
        #expect(kept.spans.count == 1)
        try? tracer.withSpan("fails", context: .topLevel) { (_: OTLPSpan) -> Void in throw Trouble() }
        let span = try #require(kept.spans.last)
        #expect(span.details.status?.code == .error && span.details.error == "Trouble()")
        let text = String(decoding: try OTLPDocument.encode([span], resource: [("service.name", "s")], scopeVersion: "1"), as: UTF8.self)
        #expect(text.contains(#""status":{"#) && text.contains(#""code":2"#) && text.contains(span.context.traceID.text))
        #expect(!text.contains("parentSpanId"))
    }
}
