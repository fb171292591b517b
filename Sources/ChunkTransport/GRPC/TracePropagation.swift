internal import GRPCCore
internal import Tracing

/// Tells the other side which trace a call belongs to.
struct TracePropagation: ClientInterceptor {
    func intercept<Input: Sendable, Output: Sendable>(
        request: StreamingClientRequest<Input>, context: ClientContext,
        next: (StreamingClientRequest<Input>, ClientContext) async throws -> StreamingClientResponse<Output>
    ) async throws -> StreamingClientResponse<Output> {
        guard let current = InstrumentationContext.current else { return try await next(request, context) }
        var request = request
        InstrumentationSystem.instrument.inject(current, into: &request.metadata, using: MetadataFields())
        return try await next(request, context)
    }

    private struct MetadataFields: Injector {
        func inject(_ value: String, forKey key: String, into metadata: inout Metadata) {
            metadata.replaceOrAddString(value, forKey: key)
        }
    }
}
