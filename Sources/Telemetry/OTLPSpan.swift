internal import Synchronization
internal import Traces
public import Tracing

/// A span under way. Safe to use from any thread.
public final class OTLPSpan: Span {
    /// Of a span that somebody will keep.
    private final class Recording: Sendable {
        struct State {
            var details: FinishedSpan.Details
            var hasEnded = false
        }

        /// Events of a span that are kept.
        static let eventLimit = 32

        let trace: TraceContext
        let parentSpanID: UInt64
        let kind: SpanKind
        let startedAt: UInt64
        let sink: any SpanSink
        let state: Mutex<State>

        init(_ name: String, _ trace: TraceContext, parentSpanID: UInt64, kind: SpanKind, startedAt: UInt64, sink: any SpanSink) {
            self.trace = trace
            self.parentSpanID = parentSpanID
            self.kind = kind
            self.startedAt = startedAt
            self.sink = sink
            state = Mutex(State(details: FinishedSpan.Details(name: name)))
        }
    }

    public let context: InstrumentationContext
    private let recording: Recording?

    /// One that nobody keeps.
    init(_ context: InstrumentationContext) {
        self.context = context
        recording = nil
    }

    init(
        _ name: String, _ context: InstrumentationContext, _ trace: TraceContext, parentSpanID: UInt64, kind: SpanKind, startedAt: UInt64,
        sink: any SpanSink
    ) {
        self.context = context
        recording = Recording(name, trace, parentSpanID: parentSpanID, kind: kind, startedAt: startedAt, sink: sink)
    }

    public var isRecording: Bool { recording.map { !$0.state.withLock { $0.hasEnded } } ?? false }

    public var operationName: String {
        get { recording?.state.withLock { $0.details.name } ?? "" }
        set { recording?.state.withLock { $0.details.name = newValue } }
    }

    public var attributes: SpanAttributes {
        get { recording?.state.withLock { $0.details.attributes } ?? SpanAttributes([:]) }
        set { recording?.state.withLock { $0.details.attributes = newValue } }
    }

    public func setStatus(_ status: SpanStatus) { recording?.state.withLock { $0.details.status = status } }

    public func addEvent(_ event: SpanEvent) {
        recording?.state.withLock { if $0.details.events.count < Recording.eventLimit { $0.details.events.append(event) } }
    }

    public func recordError<Instant: TracerInstant>(
        _ error: any Error, attributes: SpanAttributes, at instant: @autoclosure () -> Instant
    ) {
        recording?.state.withLock { $0.details.error = "\(error)" }
    }

    /// Not kept: nothing here has links.
    public func addLink(_ link: SpanLink) {}

    public func end<Instant: TracerInstant>(at instant: @autoclosure () -> Instant) {
        guard let recording else { return }
        let endedAt = instant().nanosecondsSinceEpoch
        let details = recording.state.withLock { state -> FinishedSpan.Details? in
            defer { state.hasEnded = true }
            return state.hasEnded ? nil : state.details
        }
        guard let details else { return }
        recording.sink.take(
            FinishedSpan(
                context: recording.trace, parentSpanID: recording.parentSpanID, kind: recording.kind, startedAt: recording.startedAt,
                endedAt: max(endedAt, recording.startedAt), details: details))
    }
}
