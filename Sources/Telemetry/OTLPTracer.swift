public import Core
internal import Traces
public import Tracing

/// The tracer of the process: W3C Trace Context between processes, OpenTelemetry's spans for whoever collects them.
///
/// Without a collector it makes no spans, and hands the trace of whoever calls on to whoever is called, as it came.
public struct OTLPTracer: Tracer {
    private let sink: (any SpanSink)?
    /// Of 2^64 traces that begin here, how many are kept.
    private let threshold: UInt64
    private let random: any RandomSource

    /// - Parameters:
    ///   - sink: who collects; nil for nobody.
    ///   - sampleRatio: what part of the traces that begin here is kept, 0...1. Others' traces are kept when they say so.
    package init(sink: (any SpanSink)?, sampleRatio: Double, random: any RandomSource) {
        self.sink = sink
        self.random = random
        threshold = sampleRatio >= 1 ? .max : UInt64(max(0, sampleRatio) * 0x1p64)
    }

    public func startSpan<Instant: TracerInstant>(
        _ operationName: String, context: @autoclosure () -> InstrumentationContext, ofKind kind: SpanKind,
        at instant: @autoclosure () -> Instant, function: String, file fileID: String, line: UInt
    ) -> OTLPSpan {
        var context = context()
        let parent = context.trace
        guard let sink else {
            if parent == nil { context.trace = fresh(isSampled: false) }
            return OTLPSpan(context)
        }
        let trace: TraceContext
        if let parent {
            guard parent.isSampled else { return OTLPSpan(context) }
            trace = TraceContext(traceID: parent.traceID, spanID: name(), isSampled: true, state: parent.state)
        } else {
            trace = fresh(isSampled: nil)
        }
        context.trace = trace
        guard trace.isSampled else { return OTLPSpan(context) }
        return OTLPSpan(
            operationName, context, trace, parentSpanID: parent?.spanID ?? 0, kind: kind, startedAt: instant().nanosecondsSinceEpoch,
            sink: sink)
    }

    /// - Parameters:
    ///   - exporter: nil when nobody collects.
    ///   - sampleRatio: what part of the traces that begin here is kept, 0...1. Others' traces are kept when they say so.
    public init(exporter: OTLPExporter?, sampleRatio: Double, random: any RandomSource) {
        self.init(sink: exporter, sampleRatio: sampleRatio, random: random)
    }

    /// The beginning of a trace.
    /// - Parameter isSampled: nil to leave it to chance.
    private func fresh(isSampled: Bool?) -> TraceContext {
        let id = TraceContext.TraceID(high: random.next(), low: name())
        return TraceContext(traceID: id, spanID: name(), isSampled: isSampled ?? (threshold == .max || id.low < threshold))
    }

    /// Not 0.
    private func name() -> UInt64 {
        while true {
            let name = random.next()
            if name != 0 { return name }
        }
    }

    /// Nothing to flush: who collects sends by itself.
    public func forceFlush() {}

    // MARK: Between processes

    public func extract<Carrier, Extract: Extractor>(
        _ carrier: Carrier, into context: inout InstrumentationContext, using extractor: Extract
    ) where Extract.Carrier == Carrier {
        guard let parent = extractor.extract(key: Self.parentField, from: carrier) else { return }
        context.trace = TraceContext(parent: parent, state: extractor.extract(key: Self.stateField, from: carrier))
    }

    public func inject<Carrier, Inject: Injector>(
        _ context: InstrumentationContext, into carrier: inout Carrier, using injector: Inject
    ) where Inject.Carrier == Carrier {
        guard let trace = context.trace else { return }
        injector.inject(trace.parentText, forKey: Self.parentField, into: &carrier)
        if let state = trace.state { injector.inject(state, forKey: Self.stateField, into: &carrier) }
    }

    private static let parentField = "traceparent"
    private static let stateField = "tracestate"
}
