internal import ChunkTransport
package import Core
package import GRPCCore
package import Logging
internal import Synchronization

/// Logs why callers are refused, by the guards and by the services behind it. A caller that asks again and again is logged
/// once a minute.
package final class RefusalLogInterceptor: ServerInterceptor {
    /// What counts as a refusal.
    package enum Concern: Sendable {
        /// Every call that fails.
        case allFailures
        /// Servers that do not belong here: of another cluster, secret or protocol. That a fragment is not there is an answer.
        case strangers
    }

    private static let interval = Duration.seconds(60)
    /// Refusals remembered. Strangers must fill neither the memory nor the log.
    private static let capacity = 256

    private let concern: Concern
    private let time: any TimeSource
    private let logger: Logger
    private let logged = Mutex<[String: MonotonicInstant]>([:])

    package init(_ concern: Concern, time: any TimeSource, logger: Logger) {
        self.concern = concern
        self.time = time
        self.logger = logger
    }

    package func intercept<Input: Sendable, Output: Sendable>(
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
        guard isRefusal(error) else { return }
        let caller = PeerName.host(of: context.remotePeer) ?? context.remotePeer
        guard isDue("\(caller) \(error.reason)") else { return }
        logger.warning(
            "a call was refused",
            metadata: ["method": "\(context.descriptor)", "caller": "\(caller)", "code": "\(error.code)", "reason": "\(error.reason)"])
    }

    private func isRefusal(_ error: RPCError) -> Bool {
        switch (concern, NodeError(error, address: "")) {
        // Ends that are nobody's fault.
        case (_, .shuttingDown): false
        case (.allFailures, _): error.code != .cancelled
        case (.strangers, .unauthenticated), (.strangers, .incompatible), (.strangers, .wrongCluster): true
        case (.strangers, _): false
        }
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
