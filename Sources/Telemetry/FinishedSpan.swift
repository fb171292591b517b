package import Traces
package import Tracing

/// A span that has ended, on its way to whoever keeps it.
package struct FinishedSpan: Sendable {
    package let context: TraceContext
    /// 0 for the first of a trace.
    package let parentSpanID: UInt64
    package let kind: SpanKind
    package let startedAt: UInt64
    package let endedAt: UInt64
    package let details: Details

    /// What may change while it is under way.
    package struct Details: Sendable {
        package var name: String
        package var attributes = SpanAttributes([:])
        package var events: [SpanEvent] = []
        package var status: SpanStatus?
        package var error: String?
    }
}

/// Takes spans that have ended. Must not wait: requests call it.
package protocol SpanSink: Sendable {
    func take(_ span: FinishedSpan)
}
