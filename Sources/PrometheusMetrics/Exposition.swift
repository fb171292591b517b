/// The forms in which metrics are told to Prometheus.
public enum ExpositionFormat: Sendable, CaseIterable {
    /// Prometheus' text format 0.0.4.
    case text
    /// OpenMetrics 1.0.0.
    case openMetrics

    public var contentType: String {
        switch self {
        case .text: "text/plain; version=0.0.4; charset=utf-8"
        case .openMetrics: "application/openmetrics-text; version=1.0.0; charset=utf-8"
        }
    }

    /// - Parameter accept: the header field `Accept` of the request. Whoever asks for nothing that there is gets text.
    public init(accept: String?) {
        func quality(_ type: String) -> Double {
            var best = 0.0
            for entry in (accept ?? "").lowercased().split(separator: ",") {
                let parameters = entry.split(separator: ";").map { $0.filter { !$0.isWhitespace } }
                guard parameters.first == type else { continue }
                let quality = parameters.first { $0.hasPrefix("q=") }.map { Double($0.dropFirst(2)) ?? 0 } ?? 1
                best = max(best, quality)
            }
            return best
        }
        let openMetrics = quality("application/openmetrics-text")
        self = openMetrics > 0 && openMetrics >= quality("text/plain") ? .openMetrics : .text
    }
}

extension MetricsRegistry {
    /// All metrics in a form that Prometheus reads, after every collector has run.
    public func exposition(_ format: ExpositionFormat) async -> String {
        await collect()
        var text = ""
        for family in families { write(family, format, to: &text) }
        if format == .openMetrics { text += "# EOF\n" }
        return text
    }

    private func write(_ family: Family, _ format: ExpositionFormat, to text: inout String) {
        let name = family.description.name
        // OpenMetrics names the counter, and its samples with _total.
        let familyName = format == .openMetrics && family.kind == .counter && name.hasSuffix("_total") ? String(name.dropLast(6)) : name
        text += "# HELP \(familyName) \(escaped(family.description.help, quotes: format == .openMetrics))\n"
        text += "# TYPE \(familyName) \(family.kind.rawValue)\n"
        for (labels, cell) in family.children.sorted(by: { $0.key < $1.key }) {
            switch cell {
            case let counter as CounterCell: sample(name, labels.pairs, number(counter.value), to: &text)
            case let gauge as GaugeCell: sample(name, labels.pairs, number(gauge.value), to: &text)
            case let histogram as HistogramCell:
                let (cumulative, count, sum) = histogram.snapshot
                for (bound, below) in zip(histogram.bounds, cumulative) {
                    sample(name + "_bucket", labels.pairs + [.init(name: "le", value: number(bound))], "\(below)", to: &text)
                }
                sample(name + "_bucket", labels.pairs + [.init(name: "le", value: "+Inf")], "\(count)", to: &text)
                sample(name + "_sum", labels.pairs, number(sum), to: &text)
                sample(name + "_count", labels.pairs, "\(count)", to: &text)
            default: break
            }
        }
    }

    private func sample(_ name: String, _ labels: [Labels.Pair], _ value: String, to text: inout String) {
        text += name
        if !labels.isEmpty {
            text += "{" + labels.map { "\($0.name)=\"\(escaped($0.value, quotes: true))\"" }.joined(separator: ",") + "}"
        }
        text += " \(value)\n"
    }

    private func escaped(_ text: String, quotes: Bool) -> String {
        var result = ""
        for character in text.unicodeScalars {
            switch character {
            case "\\": result += "\\\\"
            case "\n": result += "\\n"
            case "\"" where quotes: result += "\\\""
            // Nothing else that could be taken for an end of line.
            case "\r", "\u{85}", "\u{2028}", "\u{2029}", "\0": result += " "
            default: result.unicodeScalars.append(character)
            }
        }
        return result
    }

    private func number(_ value: Double) -> String {
        if value.isNaN { return "NaN" }
        if value.isInfinite { return value < 0 ? "-Inf" : "+Inf" }
        if value == value.rounded(), abs(value) < 1e15 { return "\(Int64(value))" }
        return "\(value)"
    }
}
