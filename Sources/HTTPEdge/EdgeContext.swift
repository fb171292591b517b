internal import Core
internal import Logging
import Synchronization

/// What all connections of a server share.
final class EdgeContext: Sendable {
    let responder: any HTTPResponder
    let limits: HTTPLimits
    let time: any TimeSource
    let random: any RandomSource
    let logger: Logger
    private let metrics: HTTPMetrics
    private let requestsInFlight = Atomic<Int>(0)

    /// - Parameter api: what metrics call the server.
    init(
        api: String, responder: any HTTPResponder, limits: HTTPLimits, time: any TimeSource, random: any RandomSource, logger: Logger
    ) {
        metrics = HTTPMetrics(api: api)
        self.responder = responder
        self.limits = limits
        self.time = time
        self.random = random
        self.logger = logger
    }

    /// Takes one of the places for requests in flight.
    /// - Returns: false when none is free.
    func enter() -> Bool {
        metrics.entered()
        if requestsInFlight.wrappingAdd(1, ordering: .relaxed).newValue <= limits.requestsInFlight { return true }
        leave()
        return false
    }

    func leave() {
        requestsInFlight.wrappingSubtract(1, ordering: .relaxed)
        metrics.left()
    }

    /// One line a request, and its part in the metrics.
    func logAccess(_ record: AccessRecord) {
        metrics.record(record)
        guard logger.logLevel <= .info else { return }
        logger.info(
            "request",
            metadata: [
                "request_id": .string(record.id),
                "method": .string(record.method),
                "route": .string(record.route ?? "-"),
                "path": .string(record.path ?? "-"),
                "status": .stringConvertible(record.status),
                "bytes_in": .stringConvertible(record.bytesIn),
                "bytes_out": .stringConvertible(record.bytesOut),
                "duration_ms": .stringConvertible(Double(record.duration.nanoseconds / 1_000) / 1_000),
                "outcome": .string(record.outcome.rawValue),
            ])
    }
}

/// What the access log tells of a request.
struct AccessRecord {
    enum Outcome: String {
        case answered
        /// The client went away before its answer.
        case clientGone = "client-gone"
        /// The response broke off after its head had been sent.
        case broken
    }

    let id: String
    let method: String
    let route: String?
    let path: String?
    /// 499 when the client did not wait for an answer.
    let status: UInt
    let bytesIn: Int64
    /// Bytes of the response's body.
    let bytesOut: Int64
    let duration: Duration
    let outcome: Outcome
}
