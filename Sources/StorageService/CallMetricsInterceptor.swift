internal import Core
internal import CoreMetrics
internal import GRPCCore
internal import Synchronization

/// Counts and times the calls that come in, by method and outcome, the refused ones among them. Only methods that there are get here.
final class CallMetricsInterceptor: ServerInterceptor {
    private struct Key: Hashable {
        let method: String
        let code: String
    }

    private struct Cells: Sendable {
        var calls: [Key: Counter] = [:]
        var durations: [String: Timer] = [:]
    }

    private let time: any TimeSource
    private let inFlight = Meter(label: "chunkflow_rpc_server_calls_in_flight")
    private let cells = Mutex(Cells())

    init(time: any TimeSource) { self.time = time }

    func intercept<Input: Sendable, Output: Sendable>(
        request: StreamingServerRequest<Input>, context: ServerContext,
        next: @Sendable (StreamingServerRequest<Input>, ServerContext) async throws -> StreamingServerResponse<Output>
    ) async throws -> StreamingServerResponse<Output> {
        let start = time.monotonicNow()
        let method = context.descriptor.method
        inFlight.increment()
        var response: StreamingServerResponse<Output>
        do {
            response = try await next(request, context)
        } catch {
            end(method, error, since: start)
            throw error
        }
        switch response.accepted {
        case .failure(let error): end(method, error, since: start)
        case .success(var contents):
            // The answer is produced later, and counts too.
            let producer = contents.producer
            contents.producer = { writer in
                do {
                    let trailers = try await producer(writer)
                    self.end(method, nil, since: start)
                    return trailers
                } catch {
                    self.end(method, error, since: start)
                    throw error
                }
            }
            response.accepted = .success(contents)
        }
        return response
    }

    private func end(_ method: String, _ error: (any Error)?, since start: MonotonicInstant) {
        let code = error.map { ($0 as? RPCError).map { "\($0.code)" } ?? ($0 is CancellationError ? "cancelled" : "unknown") } ?? "ok"
        let key = Key(method: method, code: code)
        let (calls, duration) = cells.withLock { cells in
            let calls =
                cells.calls[key] ?? Counter(label: "chunkflow_rpc_server_calls_total", dimensions: [("method", method), ("code", code)])
            let duration =
                cells.durations[method] ?? Timer(label: "chunkflow_rpc_server_duration_seconds", dimensions: [("method", method)])
            cells.calls[key] = calls
            cells.durations[method] = duration
            return (calls, duration)
        }
        inFlight.decrement()
        calls.increment()
        duration.recordNanoseconds((time.monotonicNow() - start).nanoseconds)
    }
}
