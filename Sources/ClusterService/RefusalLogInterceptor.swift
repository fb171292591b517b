internal import ChunkTransport
internal import Core
internal import GRPCCore
internal import Logging
internal import Synchronization

/// Logs why callers are refused, by the guards and by the services behind it. A caller that asks again and again is logged
/// once a minute.
final class RefusalLogInterceptor: ServerInterceptor {
    private static let interval = Duration.seconds(60)
    /// Refusals remembered. Strangers must fill neither the memory nor the log.
    private static let capacity = 256

    private let time: any TimeSource
    private let logger: Logger
    private let logged = Mutex<[String: MonotonicInstant]>([:])

    init(time: any TimeSource, logger: Logger) {
        self.time = time
        self.logger = logger
    }

    func intercept<Input: Sendable, Output: Sendable>(
        request: StreamingServerRequest<Input>, context: ServerContext,
        next: @Sendable (StreamingServerRequest<Input>, ServerContext) async throws -> StreamingServerResponse<Output>
    ) async throws -> StreamingServerResponse<Output> {
        let response: StreamingServerResponse<Output>
        do {
            response = try await next(request, context)
        } catch let error as RPCError {
            log(error, context)
            throw error
        }
        if case .failure(let error) = response.accepted { log(error, context) }
        return response
    }

    private func log(_ error: RPCError, _ context: ServerContext) {
        // Ends that are nobody's fault.
        guard error.code != .cancelled, NodeError(error, address: "") != .shuttingDown else { return }
        let caller = NodeAddress.host(ofPeer: context.remotePeer) ?? context.remotePeer
        guard isDue("\(caller) \(error.reason)") else { return }
        logger.warning(
            "a call was refused",
            metadata: ["method": "\(context.descriptor)", "caller": "\(caller)", "code": "\(error.code)", "reason": "\(error.reason)"])
    }

    private func isDue(_ refusal: String) -> Bool {
        let now = time.monotonicNow()
        return logged.withLock { logged in
            if let last = logged[refusal], now - last < Self.interval { return false }
            if logged.count >= Self.capacity { logged = logged.filter { now - $0.value < Self.interval } }
            guard logged.count < Self.capacity else { return false }
            logged[refusal] = now
            return true
        }
    }
}
