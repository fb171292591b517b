internal import ClusterProtocol
internal import Core
internal import GRPCCore

/// Tells the other side which client's request a call is made for.
struct RequestPropagation: ClientInterceptor {
    func intercept<Input: Sendable, Output: Sendable>(
        request: StreamingClientRequest<Input>, context: ClientContext,
        next: (StreamingClientRequest<Input>, ClientContext) async throws -> StreamingClientResponse<Output>
    ) async throws -> StreamingClientResponse<Output> {
        guard let id = RequestScope.id, RequestID.isAcceptable(id) else { return try await next(request, context) }
        var request = request
        request.metadata.replaceOrAddString(id, forKey: ClusterMetadata.request)
        return try await next(request, context)
    }
}
