internal import ClusterProtocol
internal import GRPCCore
internal import SwiftProtobuf
import Synchronization

/// The standard health service. Open to everybody: load balancers have no cluster secret, and it tells nothing.
final class HealthService: Grpc_Health_V1_Health.ServiceProtocol {
    private struct State {
        var serving = true
        var watchers: [Int: AsyncStream<Bool>.Continuation] = [:]
        var lastWatcher = 0
    }

    private let services: Set<String>
    private let state = Mutex(State())

    /// - Parameter services: names of the services that this server has.
    init(services: Set<String>) { self.services = services }

    /// The empty name stands for the server as a whole.
    private func isKnown(_ service: String) -> Bool { service.isEmpty || services.contains(service) }

    func setServing(_ serving: Bool) {
        let watchers = state.withLock { state in
            state.serving = serving
            return Array(state.watchers.values)
        }
        for watcher in watchers {
            watcher.yield(serving)
            // A server that stops serving does not start again, and must not wait for those who watch it.
            if !serving { watcher.finish() }
        }
    }

    func check(
        request: ServerRequest<Grpc_Health_V1_HealthCheckRequest>, context: ServerContext
    ) async throws -> ServerResponse<Grpc_Health_V1_HealthCheckResponse> {
        guard isKnown(request.message.service) else { throw RPCError(code: .notFound, message: "no such service") }
        return ServerResponse(message: response(serving: state.withLock { $0.serving }))
    }

    func watch(
        request: ServerRequest<Grpc_Health_V1_HealthCheckRequest>, context: ServerContext
    ) async throws -> StreamingServerResponse<Grpc_Health_V1_HealthCheckResponse> {
        let isKnown = isKnown(request.message.service)
        return StreamingServerResponse { writer in
            if !isKnown { try await writer.write(.with { $0.status = .serviceUnknown }) }
            let (changes, continuation) = AsyncStream.makeStream(of: Bool.self, bufferingPolicy: .bufferingNewest(1))
            let number = self.state.withLock { state in
                state.lastWatcher += 1
                state.watchers[state.lastWatcher] = continuation
                if isKnown { continuation.yield(state.serving) }
                if !state.serving { continuation.finish() }
                return state.lastWatcher
            }
            defer { self.state.withLock { $0.watchers[number] = nil } }
            // gRPC leaves the task running when the watcher has gone.
            try await withRPCCancellationHandler {
                for await serving in changes where isKnown { try await writer.write(self.response(serving: serving)) }
            } onCancelRPC: {
                continuation.finish()
            }
            return [:]
        }
    }

    private func response(serving: Bool) -> Grpc_Health_V1_HealthCheckResponse { .with { $0.status = serving ? .serving : .notServing } }
}
