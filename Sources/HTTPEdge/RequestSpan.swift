internal import NIOHTTP1
internal import Tracing

/// What a trace says of a request.
enum RequestSpan {
    /// The context of a request: that of the caller's `traceparent`, or a new one.
    static func context(of request: HTTPRequest) -> InstrumentationContext {
        var context = InstrumentationContext.topLevel
        InstrumentationSystem.instrument.extract(request.headers, into: &context, using: Fields())
        return context
    }

    private struct Fields: Extractor {
        func extract(key: String, from headers: HTTPHeaders) -> String? {
            let values = headers[key]
            return values.count == 1 ? values[0] : nil
        }
    }

    /// Says how the request ended. Names and values are those of OpenTelemetry.
    static func describe(_ record: AccessRecord, in span: any Span) {
        guard span.isRecording else { return }
        let method = HTTPMetrics.label(ofMethod: record.method)
        span.operationName = record.route.map { "\(method) \($0)" } ?? method
        span.updateAttributes { attributes in
            attributes.set("http.request.method", value: .string(method))
            if let route = record.route { attributes.set("http.route", value: .string(route)) }
            attributes.set("http.response.status_code", value: .int64(Int64(record.status)))
            attributes.set("http.request.body.size", value: .int64(record.bytesIn))
            attributes.set("http.response.body.size", value: .int64(record.bytesOut))
            attributes.set("chunkflow.request_id", value: .string(record.id))
            attributes.set("chunkflow.outcome", value: .string(record.outcome.rawValue))
        }
        if record.status >= 500 || record.outcome == .broken { span.setStatus(SpanStatus(code: .error)) }
    }
}
