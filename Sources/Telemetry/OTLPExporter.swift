internal import AsyncHTTPClient
public import Core
internal import CoreMetrics
internal import Foundation
public import Logging
internal import NIOCore
internal import NIOHTTP1
public import ServiceLifecycle
internal import Synchronization

/// Sends spans to an OpenTelemetry collector, over HTTP, in batches.
///
/// Nobody waits for it: what it has no room for is dropped, what a collector does not take in time is dropped, and both are counted.
public final class OTLPExporter: Service, SpanSink {
    /// Spans that wait to be sent.
    private static let queueCapacity = 4_096
    private static let batchSize = 512
    /// Between two batches: so many a second is all that traces may cost.
    private static let interval = Duration.milliseconds(200)
    private static let answerTime = TimeAmount.seconds(5)
    /// For what is left when the process ends.
    private static let lastAnswerTime = TimeAmount.seconds(1)
    /// Between two lines in the log that say that the collector does not take anything.
    private static let complaintInterval = Duration.seconds(60)

    private let endpoint: String
    private let resource: [(String, String)]
    private let time: any TimeSource
    /// Where batches are encoded.
    private let executor: any BlockingExecutor
    private let logger: Logger
    private let queue = Mutex<[FinishedSpan]>([])
    private let complainedAt = Mutex<MonotonicInstant?>(nil)
    private let sent = OTLPExporter.counter("sent")
    private let dropped = OTLPExporter.counter("dropped")
    private let failed = OTLPExporter.counter("failed")

    private static func counter(_ outcome: String) -> Counter {
        Counter(label: "chunkflow_trace_spans_total", dimensions: [("outcome", outcome)])
    }

    /// - Parameters:
    ///   - endpoint: a URL; without a path it gets OTLP's own, `/v1/traces`.
    ///   - service: what the process is called in traces.
    public init(
        endpoint: String, service: String, time: any TimeSource, executor: any BlockingExecutor, logger: Logger
    ) {
        var url = URLComponents(string: endpoint)
        if url?.path.isEmpty ?? false || url?.path == "/" { url?.path = "/v1/traces" }
        self.endpoint = url?.string ?? endpoint
        resource = [("service.name", service), ("service.version", chunkFlowVersion), ("service.instance.id", UUID().uuidString)]
        self.time = time
        self.executor = executor
        self.logger = logger
    }

    package func take(_ span: FinishedSpan) {
        let isTaken = queue.withLock { queue in
            guard queue.count < Self.queueCapacity else { return false }
            queue.append(span)
            return true
        }
        if !isTaken { dropped.increment() }
    }

    /// Sends until a graceful shutdown, and what is left then.
    public func run() async throws {
        var configuration = HTTPClient.Configuration(redirectConfiguration: .disallow)
        configuration.timeout = .init(connect: .seconds(2), read: Self.answerTime, write: Self.answerTime)
        configuration.connectionPool.retryConnectionEstablishment = false
        configuration.tracing.tracer = nil
        let client = HTTPClient(eventLoopGroupProvider: .singleton, configuration: configuration)
        try? await cancelWhenGracefulShutdown {
            while true {
                try await self.time.sleep(for: Self.interval)
                await self.send(self.takeBatch(), by: client, within: Self.answerTime)
            }
        }
        await Task { await self.send(self.takeBatch(), by: client, within: Self.lastAnswerTime) }.value
        try? await client.shutdown()
    }

    private func takeBatch() -> [FinishedSpan] {
        queue.withLock { queue in
            let batch = Array(queue.prefix(Self.batchSize))
            queue.removeFirst(batch.count)
            return batch
        }
    }

    private func send(_ batch: [FinishedSpan], by client: HTTPClient, within limit: TimeAmount) async {
        guard !batch.isEmpty else { return }
        do {
            let body = try await executor.run { [resource] in
                try OTLPDocument.encode(batch, resource: resource, scopeVersion: chunkFlowVersion)
            }
            var request = HTTPClientRequest(url: endpoint)
            request.method = .POST
            request.headers.add(name: "Content-Type", value: "application/json")
            request.body = .bytes(ByteBuffer(bytes: body))
            let response = try await client.execute(request, deadline: .now() + limit)
            guard (200..<300).contains(response.status.code) else { throw Refused(status: response.status) }
            // Read, so that the connection serves again; but not for ever.
            _ = try await response.body.collect(upTo: 1 << 20)
            sent.increment(by: batch.count)
        } catch {
            failed.increment(by: batch.count)
            complain(error)
        }
    }

    private struct Refused: Error, CustomStringConvertible {
        let status: HTTPResponseStatus
        var description: String { "it answered \(status)" }
    }

    private func complain(_ error: any Error) {
        let now = time.monotonicNow()
        let isDue = complainedAt.withLock { complainedAt in
            if let last = complainedAt, now - last < Self.complaintInterval { return false }
            complainedAt = now
            return true
        }
        guard isDue else { return }
        // The host alone: a URL may carry a password.
        let host = URLComponents(string: endpoint)?.host ?? "-"
        logger.warning("traces cannot be sent to the collector", metadata: ["host": "\(host)", "error": "\(error)"])
    }
}
