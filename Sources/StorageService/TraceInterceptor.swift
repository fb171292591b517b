internal import GRPCCore
internal import Traces
internal import Tracing

/// Has a call, to the end of its answer, be part of its caller's trace; a call without one is part of none.
///
/// Behind the cluster's secret: strangers do not write in traces.
struct TraceInterceptor: ServerInterceptor {
    func intercept<Input: Sendable, Output: Sendable>(
        request: StreamingServerRequest<Input>, context: ServerContext,
        next: @Sendable (StreamingServerRequest<Input>, ServerContext) async throws -> StreamingServerResponse<Output>
    ) async throws -> StreamingServerResponse<Output> {
        var caller = InstrumentationContext.topLevel
        InstrumentationSystem.instrument.extract(request.metadata, into: &caller, using: MetadataFields())
        guard caller.trace != nil else { return try await next(request, context) }
        let span = startSpan(context.descriptor.fullyQualifiedMethod, context: caller, ofKind: .server)
        var response: StreamingServerResponse<Output>
        do {
            response = try await InstrumentationContext.$current.withValue(span.context) { try await next(request, context) }
        } catch {
            end(span, error)
            throw error
        }
        switch response.accepted {
        case .failure(let error): end(span, error)
        case .success(var contents):
            let producer = contents.producer
            contents.producer = { writer in
                do {
                    let trailers = try await InstrumentationContext.$current.withValue(span.context) { try await producer(writer) }
                    end(span, nil)
                    return trailers
                } catch {
                    end(span, error)
                    throw error
                }
            }
            response.accepted = .success(contents)
        }
        return response
    }

    private func end(_ span: any Span, _ error: (any Error)?) {
        if let error {
            span.recordError(error)
            span.setStatus(SpanStatus(code: .error))
        }
        span.end()
    }

    private struct MetadataFields: Extractor {
        func extract(key: String, from metadata: Metadata) -> String? {
            var values = metadata[stringValues: key].makeIterator()
            guard let value = values.next(), values.next() == nil else { return nil }
            return value
        }
    }
}
