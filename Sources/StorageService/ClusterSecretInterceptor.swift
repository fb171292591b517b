internal import ChunkTransport
internal import ClusterProtocol
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
        guard let given, isEqual(Array(given.utf8), secret) else {
            throw RPCError(code: .unauthenticated, message: "wrong or missing cluster secret")
        }
        return try await next(request, context)
    }

    /// Takes the same time wherever the two differ.
    private func isEqual(_ given: [UInt8], _ expected: [UInt8]) -> Bool {
        var difference = given.count ^ expected.count
        for (index, byte) in given.enumerated() { difference |= Int(byte ^ (index < expected.count ? expected[index] : 0)) }
        return difference == 0
    }
}
