internal import ChunkTransport
internal import ClusterProtocol
internal import GRPCCore

/// Refuses callers that speak a protocol which this version does not know, before anything they say is misread.
struct ProtocolVersionInterceptor: ServerInterceptor {
    func intercept<Input: Sendable, Output: Sendable>(
        request: StreamingServerRequest<Input>, context: ServerContext,
        next: @Sendable (StreamingServerRequest<Input>, ServerContext) async throws -> StreamingServerResponse<Output>
    ) async throws -> StreamingServerResponse<Output> {
        let given = request.metadata[stringValues: ClusterMetadata.version].first { _ in true } ?? ClusterMetadata.currentVersion
        let spoken = ClusterMetadata.currentVersion
        guard given == spoken else {
            throw NodeError.incompatible(
                detail: "the caller speaks version \(given.prefix(16)) of the protocol between servers, this server version \(spoken)"
            ).rpcError
        }
        return try await next(request, context)
    }
}
