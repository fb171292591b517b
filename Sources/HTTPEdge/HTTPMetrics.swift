internal import Core
internal import CoreMetrics
import Synchronization

/// What a server's requests come to, in metrics. Safe to use from any thread.
///
/// Labels have few values, whatever clients send: a route is the pattern that a request matched, never its path.
final class HTTPMetrics: Sendable {
    private struct Key: Hashable {
        let method: String
        let route: String
        let status: UInt
    }

    private struct Cells: Sendable {
        let requests: Counter
        let duration: Timer
    }

    private static let methods: Set<String> = ["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH"]

    /// One of few names.
    static func label(ofMethod method: String) -> String { methods.contains(method) ? method : "other" }

    private let api: String
    private let inFlight: Meter
    private let received: Counter
    private let sent: Counter
    private let cells = Mutex<[Key: Cells]>([:])

    /// - Parameter api: which of the process's servers it is.
    init(api: String) {
        self.api = api
        inFlight = Meter(label: "chunkflow_http_requests_in_flight", dimensions: [("api", api)])
        received = Counter(label: "chunkflow_http_request_bytes_total", dimensions: [("api", api)])
        sent = Counter(label: "chunkflow_http_response_bytes_total", dimensions: [("api", api)])
    }

    func entered() { inFlight.increment() }
    func left() { inFlight.decrement() }

    func record(_ request: AccessRecord) {
        let key = Key(
            method: Self.label(ofMethod: request.method), route: request.route ?? "none", status: request.status
        )
        let cells = cells.withLock { cells in
            if let known = cells[key] { return known }
            let labels = [("api", api), ("method", key.method), ("route", key.route)]
            let made = Cells(
                requests: Counter(label: "chunkflow_http_requests_total", dimensions: labels + [("code", "\(key.status)")]),
                duration: Timer(label: "chunkflow_http_request_duration_seconds", dimensions: labels))
            cells[key] = made
            return made
        }
        cells.requests.increment()
        cells.duration.recordNanoseconds(request.duration.nanoseconds)
        received.increment(by: request.bytesIn)
        sent.increment(by: request.bytesOut)
    }
}
