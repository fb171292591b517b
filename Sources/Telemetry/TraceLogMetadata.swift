public import Logging
internal import Traces
internal import Tracing

extension Logger.MetadataProvider {
    /// The trace and the span that a log line is written in.
    public static let traceContext = Logger.MetadataProvider {
        guard let trace = InstrumentationContext.current?.trace else { return [:] }
        return ["trace_id": "\(trace.traceID.text)", "span_id": "\(trace.spanText)"]
    }
}
