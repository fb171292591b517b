internal import Core
internal import Logging
internal import ServiceLifecycle
internal import Settings
internal import Telemetry
internal import Tracing

/// The traces of the process: one tracer, told to swift-distributed-tracing once, before anything is served.
enum ServerTraces {
    /// Bootstrapped without a collector too: who calls may have a trace, and who is called is told of it.
    /// - Parameter service: what the process is called in traces.
    /// - Returns: what sends traces as long as the process runs: the last to be shut down, so the first of the services.
    static func start(service: String, _ settings: ProcessSettings, logger: Logger) -> [any Service] {
        let exporter = settings.otlpEndpoint.map {
            OTLPExporter(
                endpoint: $0, service: service, time: SystemTime(), executor: ThreadPoolExecutor(threadCount: 1), logger: logger)
        }
        InstrumentationSystem.bootstrap(OTLPTracer(exporter: exporter, sampleRatio: settings.traceSampleRatio, random: SystemRandom()))
        return [exporter].compactMap { $0 }
    }
}
