public import CoreMetrics

/// The backend of swift-metrics. Timers become histograms of seconds, recorders histograms or gauges, counters what they are.
extension MetricsRegistry: MetricsFactory {
    public func makeCounter(label: String, dimensions: [(String, String)]) -> any CounterHandler { counter(label, dimensions) }

    public func makeFloatingPointCounter(label: String, dimensions: [(String, String)]) -> any FloatingPointCounterHandler {
        counter(label, dimensions)
    }

    private func counter(_ label: String, _ dimensions: [(String, String)]) -> CounterCell {
        cell(label.hasSuffix("_total") ? label : label + "_total", .counter, dimensions) { _ in CounterCell() }
    }

    public func makeMeter(label: String, dimensions: [(String, String)]) -> any MeterHandler {
        cell(label, .gauge, dimensions) { _ in GaugeCell() }
    }

    public func makeRecorder(label: String, dimensions: [(String, String)], aggregate: Bool) -> any RecorderHandler {
        guard aggregate else { return cell(label, .gauge, dimensions) { _ in GaugeCell() } }
        return cell(label, .histogram, dimensions) { HistogramCell(bounds: $0) }
    }

    public func makeTimer(label: String, dimensions: [(String, String)]) -> any TimerHandler {
        cell(label.hasSuffix("_seconds") ? label : label + "_seconds", .histogram, dimensions) { HistogramCell(bounds: $0) }
    }

    // What was counted stays: Prometheus wants counters that only grow.
    public func destroyCounter(_ handler: any CounterHandler) {}
    public func destroyFloatingPointCounter(_ handler: any FloatingPointCounterHandler) {}
    public func destroyMeter(_ handler: any MeterHandler) {}
    public func destroyRecorder(_ handler: any RecorderHandler) {}
    public func destroyTimer(_ handler: any TimerHandler) {}
}
