public import Tracing

/// Runs `body` as a span of the trace that the task belongs to. Where there is no trace, or nobody keeps it, it just runs: then this
/// costs the look at a task-local value.
/// - Parameters:
///   - name: one of few.
///   - attributes: looked at only when somebody keeps them.
public func traced<Value>(
    _ name: String, kind: SpanKind = .internal, _ attributes: @autoclosure () -> SpanAttributes = SpanAttributes([:]),
    isolation: isolated (any Actor)? = #isolation, _ body: () async throws -> Value
) async rethrows -> Value {
    guard let context = InstrumentationContext.current, context.trace?.isSampled == true else { return try await body() }
    return try await withSpan(name, context: context, ofKind: kind) { span in
        if span.isRecording { span.updateAttributes { $0.merge(attributes()) } }
        return try await body()
    }
}
