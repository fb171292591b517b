internal import ChunkTransport
internal import ClusterProtocol
internal import GRPCCore

/// Runs a call; what it throws leaves as gRPC's error with all that the other side needs.
func answering<Value>(_ body: () async throws -> Value) async throws -> Value {
    do {
        return try await body()
    } catch let error as NodeError {
        throw error.rpcError
    } catch is MalformedFrame {
        throw NodeError.invalid(detail: "a stream that does not follow the protocol, or was broken off").rpcError
    } catch is CancellationError {
        throw RPCError(code: .cancelled, message: "cancelled")
    }
}

/// Runs `body` and cancels it when the caller hangs up: gRPC cancels no task of its own accord.
func whileWanted<Value: Sendable>(_ body: @escaping @Sendable () async throws -> Value) async throws -> Value {
    let task = Task { try await body() }
    return try await withTaskCancellationHandler {
        try await withRPCCancellationHandler {
            try await task.value
        } onCancelRPC: {
            task.cancel()
        }
    } onCancel: {
        task.cancel()
    }
}
