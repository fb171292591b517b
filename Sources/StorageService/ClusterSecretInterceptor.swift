internal import ChunkTransport
internal import ClusterProtocol
internal import Core
internal import GRPCCore

/// Lets only calls in that carry the cluster secret.
///
/// Every service is behind it but health checks.
struct ClusterSecretInterceptor: ServerInterceptor {
    private let secret: [UInt8]

    init(secret: String) { self.secret = Array(secret.utf8) }

    func intercept<Input: Sendable, Output: Sendable>(
        request: StreamingServerRequest<Input>, context: ServerContext,
        next: @Sendable (StreamingServerRequest<Input>, ServerContext) async throws -> StreamingServerResponse<Output>
    ) async throws -> StreamingServerResponse<Output> {
        let given = request.metadata[stringValues: ClusterMetadata.secret].first { _ in true }
        guard let given, isSameSecret(given, secret) else {
            throw RPCError(code: .unauthenticated, message: "wrong or missing cluster secret")
        }
        return try await next(request, context)
    }
}
