internal import ClusterProtocol
internal import Core
internal import GRPCCore
internal import Logging

/// Has a call, to the end of its answer, be worked on in the scope of the client's request that its caller works for, so that the lines
/// of the log written for it carry the request's id; at level debug the call itself is such a line.
///
/// Behind the cluster's secret: strangers do not choose what stands in the log. What is no id of a request is not taken from anybody.
struct RequestInterceptor: ServerInterceptor {
    let time: any TimeSource
    let logger: Logger

    func intercept<Input: Sendable, Output: Sendable>(
        request: StreamingServerRequest<Input>, context: ServerContext,
        next: @Sendable (StreamingServerRequest<Input>, ServerContext) async throws -> StreamingServerResponse<Output>
    ) async throws -> StreamingServerResponse<Output> {
        guard let id = Self.id(in: request.metadata) else { return try await next(request, context) }
        let start = time.monotonicNow()
        return try await RequestScope.$id.withValue(id) {
            var response: StreamingServerResponse<Output>
            do {
                response = try await next(request, context)
            } catch {
                log(context, error, since: start)
                throw error
            }
            switch response.accepted {
            case .failure(let error): log(context, error, since: start)
            case .success(var contents):
                // The answer is produced later, outside of this scope.
                let producer = contents.producer
                contents.producer = { writer in
                    try await RequestScope.$id.withValue(id) {
                        do {
                            let trailers = try await producer(writer)
                            log(context, nil, since: start)
                            return trailers
                        } catch {
                            log(context, error, since: start)
                            throw error
                        }
                    }
                }
                response.accepted = .success(contents)
            }
            return response
        }
    }

    private static func id(in metadata: Metadata) -> String? {
        var values = metadata[stringValues: ClusterMetadata.request].makeIterator()
        guard let value = values.next(), values.next() == nil, RequestID.isAcceptable(value) else { return nil }
        return value
    }

    private func log(_ context: ServerContext, _ error: (any Error)?, since start: MonotonicInstant) {
        logger.debug(
            "call",
            metadata: [
                "method": "\(context.descriptor.method)",
                "code": "\(error.map { ($0 as? RPCError).map { "\($0.code)" } ?? "unknown" } ?? "ok")",
                "duration_ms": .stringConvertible(Double((time.monotonicNow() - start).nanoseconds / 1_000) / 1_000),
            ])
    }
}
